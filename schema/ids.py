"""Opaque ids, in the schema's name: `db.ids` says how they are written, so that a command need not load the schema."""

from db.ids import decode_digits, decode_id, encode_id, kind_of

__all__ = ["decode_digits", "decode_id", "encode_id", "kind_of"]
