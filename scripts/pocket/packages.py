"""The npm packages that the pocket base is made from: pinned, fetched with ``npm pack``, checked by sha256."""

import hashlib
import json
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Package:
    """One public package: what it is, who made it, under which licence its pictures or words stand."""

    name: str
    version: str
    licence: str
    author: str
    source: str
    sha256: str

    @property
    def archive(self) -> str:
        """The file name that ``npm pack`` gives."""
        return f"{self.name.removeprefix('@').replace('/', '-')}-{self.version}.tgz"

    def fetch(self, folder: Path) -> Path:
        """Download and unpack below ``folder`` unless that is done; return the unpacked folder.

        The licence inside the package must be the one written here, and so must the sha256.
        """
        archive = folder / self.archive
        if not archive.exists():
            folder.mkdir(parents=True, exist_ok=True)
            subprocess.run(["npm", "pack", "--silent", f"{self.name}@{self.version}"], cwd=folder, check=True)
        found = hashlib.sha256(archive.read_bytes()).hexdigest()
        if found != self.sha256:
            raise ValueError(f"{archive.name} has sha256 {found}, expected {self.sha256}; delete it and try again")
        unpacked = folder / archive.name.removesuffix(".tgz")
        if not unpacked.exists():
            with tarfile.open(archive) as packed:
                packed.extractall(unpacked, filter="data")
        content = unpacked / "package"
        licence = json.loads((content / "package.json").read_text())["license"]
        if licence != self.licence:
            raise ValueError(f"{self.name} is licensed {licence}, expected {self.licence}; read its terms first")
        return content


WORDS = Package(
    "emojibase-data",
    "17.0.0",
    "MIT",
    "Miles Johnson",
    "https://github.com/milesj/emojibase",
    "d01d0e2ca4e22cb402679532155342c71e2e871f25c32223c013b8b166ebdf5a",
)

STYLES = {
    "noto": Package(
        "@iconify-json/noto",
        "1.2.9",
        "Apache-2.0",
        "Google Inc",
        "https://github.com/googlefonts/noto-emoji",
        "3e918d88fc945c0bb3d468dbace6f88caef67f01c9f0e7bcae0915a042e8f1ad",
    ),
    "twemoji": Package(
        "@iconify-json/twemoji",
        "1.2.5",
        "CC-BY-4.0",
        "Twitter, Inc and other contributors",
        "https://github.com/jdecked/twemoji",
        "19046dff7d8707ce96212ec86468b36ac5f8e60409629dd13f809265c6d0ebb7",
    ),
    "fluent": Package(
        "@iconify-json/fluent-emoji-flat",
        "1.2.6",
        "MIT",
        "Microsoft Corporation",
        "https://github.com/microsoft/fluentui-emoji",
        "7d064769dee690815f823bc5bcc511d957198caf9f5edd8dd9c1aa48a6aeb175",
    ),
    "blob": Package(
        "@iconify-json/noto-v1",
        "1.2.5",
        "Apache-2.0",
        "Google Inc",
        "https://github.com/googlefonts/noto-emoji",
        "2bf62c26c2c2884aa99e90aec942cdaee17a5921f05690694f4978ad4b017c37",
    ),
    "emojitwo": Package(
        "@iconify-json/emojione",
        "1.2.3",
        "CC-BY-4.0",
        "EmojiTwo / Emoji One",
        "https://github.com/EmojiTwo/emojitwo",
        "26a14f44284407e8bcde91799388dca2bfd91dbcd55a97f425524a1c5b73610e",
    ),
    "fxemoji": Package(
        "@iconify-json/fxemoji",
        "1.2.2",
        "Apache-2.0",
        "Mozilla",
        "https://github.com/mozilla/fxemoji",
        "f3e72b3c59d05e1db03b7e308d55c0d05bd7ba3f625a90da1b79313c12858eef",
    ),
    "streamline": Package(
        "@iconify-json/streamline-emojis",
        "1.2.4",
        "CC-BY-4.0",
        "Streamline",
        "https://github.com/webalys-hq/streamline-vectors",
        "5dac87c876b322500989828c5823143e0100d78881627a2e4081a4b897cbfdbc",
    ),
    "monochrome": Package(
        "@iconify-json/fluent-emoji-high-contrast",
        "1.2.6",
        "MIT",
        "Microsoft Corporation",
        "https://github.com/microsoft/fluentui-emoji",
        "0b92d48c90d2200bd499e3cdd09a127ca6a8c8ddefd34c35eb5a1e4994012ae0",
    ),
}
"""Style word -> package. The first three teach the U-Net, all of them the CLIP and the VAE. OpenMoji is in none."""
