"""Raw interactions and knowledge graphs to the prepared form that `katrec` trains on (docs/data.md)."""
