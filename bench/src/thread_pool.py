"""The old way: threads over a list of pieces, a decoder for each. `python3 -c … THREADS PIECE…`"""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pocketsphinx import Decoder, DefaultConfig

MODEL = Path("/usr/share/pocketsphinx/model/en-us")
HEADER_BYTES = 44


def transcribe(piece):
    config = DefaultConfig()
    config.set_string("-hmm", str(MODEL / "en-us"))
    config.set_string("-lm", str(MODEL / "en-us.lm.bin"))
    config.set_string("-dict", str(MODEL / "cmudict-en-us.dict"))
    config.set_string("-logfn", "/dev/null")
    decoder = Decoder(config)
    decoder.start_utt()
    decoder.process_raw(Path(piece).read_bytes()[HEADER_BYTES:], False, True)
    decoder.end_utt()
    heard = decoder.hyp()
    return heard.hypstr if heard else ""


with ThreadPoolExecutor(int(sys.argv[1])) as pool:
    print(" ".join(pool.map(transcribe, sys.argv[2:])))
