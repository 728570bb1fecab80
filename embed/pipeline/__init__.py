"""`embed_library`: a library's files through an encoder, in worker processes."""

__all__: list[str] = []
