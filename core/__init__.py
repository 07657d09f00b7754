"""What every package speaks: records, blocks, snapshots, seeding, errors. Imports nothing of Velatura's."""
