/* Where the paragraphs of a text lie, and how many lines each has. */
#include "pframe.h"

static pframe_result handle(const pframe_chunk *chunk, const char *parameters, pframe_output *output) {
    (void)parameters;
    pframe_span span = pframe_chunk_span(chunk);
    pframe_lines lines = pframe_lines_of(chunk->data);
    for (pframe_bytes line; pframe_next_line(&lines, &line);) {}
    pframe_printf(output, "%" PRIu64 "..%" PRIu64 " %" PRIu64 "\n", span.start, span.end, lines.number);
    return PFRAME_OK;
}

/* Every paragraph is a chunk; the blank lines between are in none. */
static pframe_result split(const pframe_source *source, const char *parameters, pframe_spans *spans) {
    (void)parameters;
    uint64_t start = 0;
    bool has_begun = false;
    pframe_lines lines = pframe_lines_of(source->data);
    for (pframe_bytes line; pframe_next_line(&lines, &line);) {
        bool is_blank = line.length == 0;
        if (has_begun && is_blank) pframe_add_span(spans, start, lines.offset);
        if (!has_begun) start = lines.offset;
        has_begun = !is_blank;
    }
    if (has_begun) pframe_add_span(spans, start, source->data.size);
    return PFRAME_OK;
}

PFRAME_HANDLER(handle);
PFRAME_CHUNKER(split);
