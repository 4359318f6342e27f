"""Where the paragraphs of a text lie, and how many lines each has."""

import pframe_guest


class Handler(pframe_guest.Handler):
    def handle(self, chunk, parameters, output):
        lines = sum(1 for _ in chunk.lines())
        output.write(f"{chunk.span.start}..{chunk.span.end} {lines}\n")


class Chunker(pframe_guest.Chunker):
    """Every paragraph is a chunk; the blank lines between are in none."""

    def split(self, source, parameters):
        start = offset = 0
        for line in source.lines(keepends=True):
            if line in (b"\n", b"\r\n"):
                if offset > start:
                    yield pframe_guest.Span(start, offset)
                start = offset + len(line)
            offset += len(line)
        if offset > start:
            yield pframe_guest.Span(start, offset)
