"""The most frequent words of a text."""

import re
from collections import Counter

import pframe_guest

WORD = re.compile(rb"[A-Za-z]+")


class Handler(pframe_guest.Handler):
    def handle(self, chunk, parameters, output):
        words = Counter()
        for line in chunk.lines():
            words.update(word.lower() for word in WORD.findall(line))
        write(words, output)


class Collector(pframe_guest.Collector):
    def merge(self, parts, parameters, output):
        write(total(parts), output)

    def conclude(self, parts, parameters, output):
        ranked = sorted(total(parts).items(), key=lambda entry: (-entry[1], entry[0]))
        for word, count in ranked[: parameters.get("top", 10)]:
            output.write(b"%d %s\n" % (count, word))


def total(parts):
    words = Counter()
    for part in parts:
        for line in part.lines():
            count, word = line.split()
            words[word] += int(count)
    return words


def write(words, output):
    for word, count in words.items():
        output.write(b"%d %s\n" % (count, word))
