/* Writes the lines that contain a word. */
#include <string.h>

#include "pframe.h"

static pframe_result handle(const pframe_chunk *chunk, const char *parameters, pframe_output *output) {
    char *word = pframe_parameter_string(parameters, "word", "truth");
    pframe_lines lines = pframe_lines_of(chunk->data);
    for (pframe_bytes line; pframe_next_line(&lines, &line);)
        if (strstr(line.data, word) != NULL) pframe_printf(output, "%s\n", line.data);
    return PFRAME_OK;
}

PFRAME_HANDLER(handle);
