"""The knowledge graph attention module (Section 3.2): edges, attention over ego networks, the encoder."""
