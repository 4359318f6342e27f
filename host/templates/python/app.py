"""Writes the lines that contain a word."""

import pframe_guest


class Handler(pframe_guest.Handler):
    def handle(self, chunk, parameters, output):
        for line in chunk.text_lines():
            if parameters["word"] in line:
                output.write(f"{line}\n")
