"""What kohya's configuration trains: which adapter, how large, and the text encoder."""

from __future__ import annotations

from typing import Any

from core.errors import RecipeError
from flows.peers.draft import Draft
from flows.peers.words import arguments_of, number

LORA_TYPES = {
    "standard": ("networks.lora", ""),
    "kohya locon": ("networks.lora", "locon"),
    "kohya dylora": ("networks.dylora", ""),
    "lycoris/locon": ("lycoris.kohya", "locon"),
    "lycoris/loha": ("lycoris.kohya", "loha"),
    "lycoris/lokr": ("lycoris.kohya", "lokr"),
    "lycoris/ia3": ("lycoris.kohya", "ia3"),
    "lycoris/diag-oft": ("lycoris.kohya", "diag-oft"),
    "lycoris/native fine-tuning": ("lycoris.kohya", "full"),
}
"""the GUI's words"""
ALGORITHMS = {"lora": "lora", "locon": "lora", "loha": "loha", "lokr": "lokr", "ia3": "ia3", "diag-oft": "oft"}
ALGORITHMS |= {"full": "full", "": "lora"}
LOW = ("lora", "locon")
RANKED = ("lora", "locon", "dora", "loha", "lokr")


def put_adapter(draft: Draft) -> None:
    """The kind that `network_module` and its arguments, or a word to learn, ask for; else full training."""
    word, words, count = draft.take("token_string"), draft.take("init_word"), draft.whole("num_vectors_per_token")
    if word:
        draft.put("train.adapter", {"kind": "textual_inversion", "word": word})
        draft.put("train.adapter.initial", words)
        draft.put("train.adapter.vectors", count)
        return
    module, arguments = str(draft.take("network_module") or ""), arguments_of(draft.take("network_args"))
    said = str(draft.take("LoRA_type") or "").lower()
    if said and not module:
        module, algorithm = LORA_TYPES.get(said, ("", ""))
        if not module:
            raise RecipeError(f"LoRA_type: {said!r} is not made here; known: {', '.join(LORA_TYPES)}")
        arguments = {**arguments, **({"algo": algorithm} if algorithm else {})}
    gui = {key: draft.take(key) for key in ("conv_dim", "conv_alpha", "factor", "decompose_both", "dora_wd")}
    arguments = {**{key: value for key, value in gui.items() if value is not None}, **arguments}
    if not module and draft.values.get("network_dim"):
        module = "networks.lora"
    kind = kind_of(module, arguments, gui=bool(said))
    draft.put("train.adapter.kind", kind)
    keys = keys_of(draft, kind, arguments)
    for name, value in keys.items():
        draft.put(f"train.adapter.{name}", value)
    for name, value in arguments.items():
        if name not in HEEDED and value not in (None, "", "False", False):
            draft.left[f"network_args.{name}"] = value, "this adapter has no such key here"


HEEDED = {"algo", "conv_dim", "conv_alpha", "factor", "decompose_both", "dora_wd", "rank_dropout", "module_dropout"}
HEEDED |= {"dropout", "loraplus_lr_ratio", "loraplus_unet_lr_ratio", "constraint"}


def kind_of(module: str, arguments: dict[str, Any], *, gui: bool) -> str:
    """Our name of it."""
    if not module:
        return "full"
    wide = float(number(arguments.get("conv_dim")) or 0) > 0
    if module in ("networks.lora", "networks.lora_fa"):
        return "locon" if wide and (not gui or arguments.get("algo") == "locon") else "lora"
    if module == "networks.oft":
        return "oft"
    if module == "lycoris.kohya":
        algorithm = str(arguments.get("algo", "lora")).lower()
        if algorithm not in ALGORITHMS:
            raise RecipeError(
                f"algo: {algorithm!r} of LyCORIS is not made here; known: {', '.join(filter(None, ALGORITHMS))}"
            )
        kind = ALGORITHMS[algorithm]
        if kind == "lora" and number(arguments.get("dora_wd")):
            return "dora"
        return "locon" if kind == "lora" and wide else kind
    raise RecipeError(
        f"network_module: {module!r} is not made here; known: networks.lora, networks.oft and lycoris.kohya with "
        "algo lora, locon, loha, lokr, ia3, diag-oft or full"
    )


def keys_of(draft: Draft, kind: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """The adapter's keys."""
    rank, alpha = draft.whole("network_dim"), draft.number("network_alpha")
    dropouts = {
        "dropout": draft.number("network_dropout") or number(arguments.get("dropout")),
        "rank_dropout": draft.number("rank_dropout") or number(arguments.get("rank_dropout")),
        "module_dropout": draft.number("module_dropout") or number(arguments.get("module_dropout")),
    }
    norm = draft.number("scale_weight_norms")
    ratio = number(arguments.get("loraplus_unet_lr_ratio") or arguments.get("loraplus_lr_ratio"))
    wide, conv_alpha = (float(number(arguments.get(key)) or 0) for key in ("conv_dim", "conv_alpha"))
    found: dict[str, Any] = {}
    if kind in RANKED:
        # where kohya's configuration names no alpha, it is 1, and no rank is 4
        found |= {"rank": rank or 4, "alpha": 1.0 if alpha is None else alpha or float(rank or 4)}
    if kind == "locon":
        found |= {"convolution_rank": int(wide), "convolution_alpha": conv_alpha or 1.0}
    elif kind in ("loha", "lokr", "dora", "oft") and wide:
        found["convolutions"] = True
        if kind in ("loha", "lokr", "dora") and wide != rank:
            draft.notes.append(f"conv_dim {wide:g} is not kept apart from network_dim {rank} in {kind}; `ranks` can be")
    if kind == "lokr":
        factor = int(number(arguments.get("factor")) or -1)
        found |= {"factor": factor, "both": bool(number(arguments.get("decompose_both")))}
    if kind == "oft":
        found["constraint"] = number(arguments.get("constraint"))
        draft.notes.append("network_dim counts blocks in other programs' OFT; block_size is theirs here: check it")
    allowed = {**dict.fromkeys(LOW, tuple(dropouts)), "loha": ("rank_dropout", "module_dropout"), "dora": ("dropout",)}
    allowed["lokr"] = allowed["loha"]
    for name, value in dropouts.items():
        if value and name in allowed.get(kind, ()):
            found[name] = value
        elif value:
            draft.left[name if name != "dropout" else "network_dropout"] = value, f"{kind} has no such key here"
    if norm and kind in ("lora", "locon", "loha", "lokr"):
        found["max_norm"] = norm
    elif norm:
        draft.left["scale_weight_norms"] = norm, f"{kind} has no limit on its norm here"
    if ratio and kind in (*LOW, "dora"):
        found["ratio"] = ratio
    return {name: value for name, value in found.items() if value is not None}


def put_text_encoder(draft: Draft, rate: float | None, steps: int, optimizer: str) -> None:
    """Kohya trains it too unless it is told not to; here it is said, with a rate and an end of its own."""
    own, end = draft.number("text_encoder_lr", "text_encoder_lr1"), draft.number("stop_text_encoder_training")
    frozen = draft.is_on("network_train_unet_only")
    kind = draft.recipe["train"]["adapter"]["kind"]
    if (
        frozen
        or kind in ("textual_inversion", "full")
        or (own == 0 and draft.values.get("text_encoder_lr") is not None)
    ):
        return
    if kind not in LOW:
        draft.notes.append(f"the text encoder stays frozen: {kind} goes on the U-Net only; kohya would train both")
        return
    if optimizer in ("dadaptation", "prodigy"):
        draft.notes.append(f"the text encoder stays frozen: {optimizer} knows one rate only; kohya would train both")
        return
    gui = "lr_warmup" in draft.values  # the GUI counts in percent
    until = steps if not end or end < 0 else round(end / 100 * steps) if gui else int(end)
    draft.put("train.text_encoder", {"learning_rate": own or rate or 1e-4, "steps": max(1, until)})
    draft.notes.append("train.text_encoder: it overfits sooner than the U-Net; leaving it out is the safer way")
