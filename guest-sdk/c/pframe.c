/* From the generated bindings to pframe.h.
 *
 * Owns: what a call has read, written and failed with, and the exported functions.
 * Never: goes on after a failure: a result with a hole is worse than none. */
#include "pframe.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "generated/bindings.h"

/* Small writes are collected up to here: each call of the host costs more than they do. */
#define COLLECTED_BYTES_MAX 65536

/* Bytes of a word about progress, as the contract says. */
#define MESSAGE_BYTES_MAX 256

/* Whose the data are, where they are no part's. */
#define OF_CHUNK (-1)
#define OF_SOURCE (-2)

struct pframe_output {
    size_t used;
    char collected[COLLECTED_BYTES_MAX];
};

struct pframe_spans {
    pframe_task_types_span_t *spans;
    size_t count, capacity;
};

/* The first failure of the running call. */
static struct {
    pframe_result kind;
    char text[PFRAME_TEXT_BYTES_MAX + 1];
} failure;

/* ---- Memory and text ---- */

static void *checked(void *memory) {
    if (memory == NULL) {
        fputs("out of memory\n", stderr);
        abort();
    }
    return memory;
}

void *pframe_allocate(size_t count, size_t size) {
    /* One byte at least: null may also mean that nothing was asked for. */
    return checked(count == 0 || size == 0 ? calloc(1, 1) : calloc(count, size));
}

/* Bytes of the character in UTF-8 that starts here; 0 if none does. A zero byte ends the text. */
static size_t character_length(const unsigned char *text) {
    unsigned char first = text[0], low = 0x80, high = 0xbf;
    size_t length = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
    if (first == 0xe0) low = 0xa0; /* shorter forms exist */
    if (first == 0xf0) low = 0x90;
    if (first == 0xed) high = 0x9f; /* surrogates */
    if (first == 0xf4) high = 0x8f; /* beyond the last character */
    for (size_t at = 1; at < length; at++) {
        if (text[at] < low || text[at] > high) return 0;
        low = 0x80;
        high = 0xbf;
    }
    return length;
}

/* Replaces what is not UTF-8: the host ends a call that hands it anything else as text. */
static void make_text(char *text) {
    while (*text != '\0') {
        size_t length = character_length((const unsigned char *)text);
        if (length == 0) *text = '?';
        text += length == 0 ? 1 : length;
    }
}

/* Takes over a string of the host, as one of C. */
static char *take_string(bindings_string_t *string) {
    char *text = pframe_allocate(string->len + 1, 1);
    if (string->len > 0) {
        memcpy(text, string->ptr, string->len);
        free(string->ptr);
    }
    return text;
}

/* ---- Failures ---- */

static pframe_result fail(pframe_result kind, const char *format, va_list arguments) {
    if (failure.kind == PFRAME_OK) {
        failure.kind = kind;
        if (vsnprintf(failure.text, sizeof failure.text, format, arguments) < 0) failure.text[0] = '\0';
        make_text(failure.text);
    }
    return failure.kind;
}

pframe_result pframe_fail_invalid(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    pframe_result result = fail(PFRAME_INVALID, format, arguments);
    va_end(arguments);
    return result;
}

pframe_result pframe_fail_transient(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    pframe_result result = fail(PFRAME_TRANSIENT, format, arguments);
    va_end(arguments);
    return result;
}

pframe_result pframe_fail_permanent(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    pframe_result result = fail(PFRAME_PERMANENT, format, arguments);
    va_end(arguments);
    return result;
}

pframe_result pframe_failed(void) {
    return failure.kind;
}

/* ---- Reading ---- */

static void fail_to_read(pframe_task_types_read_error_t *error, uint64_t offset) {
    char *reason;
    switch (error->tag) {
    case PFRAME_TASK_TYPES_READ_ERROR_INPUT_CHANGED:
        pframe_fail_permanent("the input is no longer what it was when the job was accepted");
        break;
    case PFRAME_TASK_TYPES_READ_ERROR_IO:
        reason = take_string(&error->val.io);
        pframe_fail_transient("reading at byte %" PRIu64 ": %s", offset, reason);
        free(reason);
        break;
    case PFRAME_TASK_TYPES_READ_ERROR_TOO_LONG:
        pframe_fail_permanent("more than %d bytes were asked for at once", PFRAME_PIECE_BYTES_MAX);
        break;
    default:
        pframe_fail_permanent("byte %" PRIu64 " lies beyond the end", offset);
    }
}

static bool read_data(
    pframe_data data, uint64_t offset, uint32_t length, bindings_list_u8_t *piece, pframe_task_types_read_error_t *error) {
    switch (data.part) {
    case OF_CHUNK:
        return pframe_task_input_method_chunk_read(
            (pframe_task_input_borrow_chunk_t){data.handle}, offset, length, piece, error);
    case OF_SOURCE:
        return pframe_task_input_method_source_read(
            (pframe_task_input_borrow_source_t){data.handle}, offset, length, piece, error);
    default:
        return pframe_task_input_method_partials_read(
            (pframe_task_input_borrow_partials_t){data.handle}, (uint32_t)data.part, offset, length, piece, error);
    }
}

/* Reads at most one piece, which the caller frees; null if there is none. */
static pframe_bytes read_piece(pframe_data data, uint64_t offset, uint64_t length) {
    uint32_t wanted = length < PFRAME_PIECE_BYTES_MAX ? (uint32_t)length : PFRAME_PIECE_BYTES_MAX;
    bindings_list_u8_t piece;
    pframe_task_types_read_error_t error;
    if (failure.kind != PFRAME_OK) return (pframe_bytes){NULL, 0};
    bool is_read = read_data(data, offset, wanted, &piece, &error);
    if (!is_read) fail_to_read(&error, offset);
    /* The address of no bytes is none. */
    return is_read && piece.len > 0 ? (pframe_bytes){(char *)piece.ptr, piece.len} : (pframe_bytes){NULL, 0};
}

size_t pframe_read_at(pframe_data data, uint64_t offset, void *buffer, size_t length) {
    size_t done = 0;
    if (offset > data.size) pframe_fail_permanent("byte %" PRIu64 " lies beyond the end", offset);
    while (done < length && offset + done < data.size) {
        pframe_bytes piece = read_piece(data, offset + done, length - done);
        if (piece.length == 0) break;
        memcpy((char *)buffer + done, piece.data, piece.length);
        done += piece.length;
        free(piece.data);
    }
    return done;
}

pframe_bytes pframe_read_all(pframe_data data) {
    if (data.size >= SIZE_MAX) {
        pframe_fail_permanent("%" PRIu64 " bytes do not fit into memory", data.size);
        return (pframe_bytes){NULL, 0};
    }
    pframe_bytes all = {pframe_allocate((size_t)data.size + 1, 1), 0};
    pframe_blocks blocks = pframe_blocks_of(data);
    for (pframe_bytes block; pframe_next_block(&blocks, &block);) {
        memcpy(all.data + all.length, block.data, block.length);
        all.length += block.length;
    }
    if (failure.kind == PFRAME_OK) return all;
    free(all.data);
    return (pframe_bytes){NULL, 0};
}

pframe_blocks pframe_blocks_of(pframe_data data) {
    return (pframe_blocks){.data = data};
}

void pframe_blocks_free(pframe_blocks *blocks) {
    free(blocks->block.data);
    blocks->block = (pframe_bytes){NULL, 0};
    blocks->offset = blocks->data.size;
}

bool pframe_next_block(pframe_blocks *blocks, pframe_bytes *block) {
    free(blocks->block.data);
    blocks->block = (pframe_bytes){NULL, 0};
    if (blocks->offset >= blocks->data.size) return false;
    *block = read_piece(blocks->data, blocks->offset, blocks->data.size - blocks->offset);
    if (block->length == 0) {
        pframe_fail_permanent("the input is no longer what it was when the job was accepted");
        return false;
    }
    blocks->block = *block;
    blocks->offset += block->length;
    return true;
}

pframe_lines pframe_lines_of(pframe_data data) {
    return (pframe_lines){.blocks = pframe_blocks_of(data)};
}

void pframe_lines_free(pframe_lines *lines) {
    pframe_blocks_free(&lines->blocks);
    free(lines->joined.data);
    *lines = (pframe_lines){.number = lines->number, .offset = lines->offset, .blocks = lines->blocks};
}

/* Adds to a line that goes beyond its block, with room for a zero byte. */
static void join(pframe_lines *lines, const char *data, size_t length) {
    size_t needed = lines->joined.length + length + 1;
    if (needed > lines->joined_capacity) {
        lines->joined_capacity = needed > 2 * lines->joined_capacity ? needed : 2 * lines->joined_capacity;
        lines->joined.data = checked(realloc(lines->joined.data, lines->joined_capacity));
    }
    memcpy(lines->joined.data + lines->joined.length, data, length);
    lines->joined.length += length;
}

/* Finds the next line, with what its end has before the line feed; false if there is none. */
static bool find_line(pframe_lines *lines, pframe_bytes *line) {
    pframe_bytes *rest = &lines->rest;
    lines->joined.length = 0;
    while (rest->length > 0 || pframe_next_block(&lines->blocks, rest)) {
        char *end = memchr(rest->data, '\n', rest->length);
        *line = (pframe_bytes){rest->data, end == NULL ? rest->length : (size_t)(end - rest->data)};
        rest->data += line->length + (end != NULL);
        rest->length -= line->length + (end != NULL);
        if (end != NULL && lines->joined.length == 0) return true;
        join(lines, line->data, line->length);
        *line = lines->joined;
        if (end != NULL) return true;
    }
    return lines->joined.length > 0 && failure.kind == PFRAME_OK;
}

bool pframe_next_line(pframe_lines *lines, pframe_bytes *line) {
    uint64_t offset = lines->blocks.offset - lines->rest.length;
    if (!find_line(lines, line)) {
        pframe_lines_free(lines);
        return false;
    }
    lines->number++;
    lines->offset = offset;
    if (line->length > 0 && line->data[line->length - 1] == '\r') line->length--;
    line->data[line->length] = '\0'; /* over its end, or in the room that `join` left */
    return true;
}

/* ---- Chunks, sources and parts ---- */

static pframe_task_input_borrow_chunk_t handle_of(const pframe_chunk *chunk) {
    return (pframe_task_input_borrow_chunk_t){chunk->data.handle};
}

uint32_t pframe_chunk_index(const pframe_chunk *chunk) {
    return pframe_task_input_method_chunk_index(handle_of(chunk));
}

uint32_t pframe_chunk_count(const pframe_chunk *chunk) {
    return pframe_task_input_method_chunk_count(handle_of(chunk));
}

uint32_t pframe_chunk_attempt(const pframe_chunk *chunk) {
    return pframe_task_input_method_chunk_attempt(handle_of(chunk));
}

pframe_span pframe_chunk_span(const pframe_chunk *chunk) {
    pframe_task_input_span_t span;
    pframe_task_input_method_chunk_span(handle_of(chunk), &span);
    return (pframe_span){span.start, span.end, span.unit == PFRAME_TASK_TYPES_UNIT_MILLISECONDS};
}

char *pframe_chunk_job_id(const pframe_chunk *chunk) {
    bindings_string_t text;
    pframe_task_input_method_chunk_job_id(handle_of(chunk), &text);
    return take_string(&text);
}

char *pframe_chunk_source(const pframe_chunk *chunk) {
    bindings_string_t text;
    pframe_task_input_method_chunk_source(handle_of(chunk), &text);
    return take_string(&text);
}

char *pframe_chunk_media_type(const pframe_chunk *chunk) {
    bindings_string_t text;
    bool is_known = pframe_task_input_method_chunk_media_type(handle_of(chunk), &text);
    return is_known ? take_string(&text) : NULL;
}

static pframe_task_input_borrow_source_t handle_of_source(const pframe_source *source) {
    return (pframe_task_input_borrow_source_t){source->data.handle};
}

char *pframe_source_name(const pframe_source *source) {
    bindings_string_t text;
    pframe_task_input_method_source_name(handle_of_source(source), &text);
    return take_string(&text);
}

char *pframe_source_media_type(const pframe_source *source) {
    bindings_string_t text;
    bool is_known = pframe_task_input_method_source_media_type(handle_of_source(source), &text);
    return is_known ? take_string(&text) : NULL;
}

pframe_data pframe_part(const pframe_parts *parts, uint32_t index) {
    pframe_data data = {.handle = parts->handle, .part = index};
    if (index < parts->count) {
        data.size = pframe_task_input_method_partials_size((pframe_task_input_borrow_partials_t){parts->handle}, index);
    } else {
        pframe_fail_permanent("there is no part %" PRIu32 " of %" PRIu32, index, parts->count);
    }
    return data;
}

/* ---- Writing ---- */

static void hand_over(const char *data, size_t length) {
    while (length > 0 && failure.kind == PFRAME_OK) {
        size_t piece_length = length < PFRAME_PIECE_BYTES_MAX ? length : PFRAME_PIECE_BYTES_MAX;
        /* The bindings have no word for bytes that are only read. */
        bindings_list_u8_t piece = {(uint8_t *)(uintptr_t)data, piece_length};
        bindings_string_t error;
        if (!pframe_task_output_write(&piece, &error)) {
            char *reason = take_string(&error);
            pframe_fail_permanent("writing: %s", reason);
            free(reason);
        }
        data += piece_length;
        length -= piece_length;
    }
}

void pframe_flush(pframe_output *output) {
    hand_over(output->collected, output->used);
    output->used = 0;
}

void pframe_write(pframe_output *output, const void *data, size_t length) {
    if (length > sizeof output->collected - output->used) pframe_flush(output);
    if (length > sizeof output->collected) {
        hand_over(data, length);
    } else if (length > 0) {
        memcpy(output->collected + output->used, data, length);
        output->used += length;
    }
}

void pframe_printf(pframe_output *output, const char *format, ...) {
    char *room = output->collected + output->used;
    size_t room_length = sizeof output->collected - output->used;
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int printed = vsnprintf(room, room_length, format, arguments);
    if (printed < 0) {
        pframe_fail_permanent("a text cannot be formatted");
    } else if ((size_t)printed < room_length) {
        output->used += (size_t)printed;
    } else {
        char *text = pframe_allocate((size_t)printed + 1, 1);
        vsnprintf(text, (size_t)printed + 1, format, again);
        pframe_write(output, text, (size_t)printed);
        free(text);
    }
    va_end(again);
    va_end(arguments);
}

void pframe_add_span(pframe_spans *spans, uint64_t start, uint64_t end) {
    if (spans->count == spans->capacity) {
        size_t capacity = spans->capacity == 0 ? 64 : 2 * spans->capacity;
        bool is_possible = capacity <= SIZE_MAX / sizeof *spans->spans;
        spans->spans = checked(is_possible ? realloc(spans->spans, capacity * sizeof *spans->spans) : NULL);
        spans->capacity = capacity;
    }
    spans->spans[spans->count++] = (pframe_task_types_span_t){start, end, PFRAME_TASK_TYPES_UNIT_BYTES};
}

void pframe_progress(double done, const char *message) {
    char text[MESSAGE_BYTES_MAX + 1] = "";
    if (message != NULL) strncat(text, message, MESSAGE_BYTES_MAX);
    make_text(text);
    bindings_string_t word = {(uint8_t *)text, strlen(text)};
    pframe_task_progress_report((float)done, message == NULL ? NULL : &word);
}

/* ---- Exports ---- */

static pframe_output output;

/* Begins a call, and returns its parameters. */
static char *begin(bindings_string_t *parameters) {
    failure.kind = PFRAME_OK;
    output.used = 0;
    return take_string(parameters);
}

/* Ends a call, and says in the contract's words how it failed. */
static bool end(pframe_result result, pframe_task_types_failure_t *told) {
    if (result == PFRAME_OK) pframe_flush(&output);
    if (result != PFRAME_OK && failure.kind == PFRAME_OK) {
        failure.kind = result;
        strcpy(failure.text, "the handler gave no reason");
    }
    switch (failure.kind) {
    case PFRAME_OK: return true;
    case PFRAME_INVALID: told->tag = PFRAME_TASK_TYPES_FAILURE_INVALID_INPUT; break;
    case PFRAME_TRANSIENT: told->tag = PFRAME_TASK_TYPES_FAILURE_TRANSIENT; break;
    case PFRAME_PERMANENT:
    default: told->tag = PFRAME_TASK_TYPES_FAILURE_PERMANENT;
    }
    /* All three are strings in one place. The bindings free what is returned. */
    size_t length = strlen(failure.text);
    told->val.permanent = (bindings_string_t){pframe_allocate(length, 1), length};
    memcpy(told->val.permanent.ptr, failure.text, length);
    return false;
}

bool exports_pframe_task_handler_run(
    pframe_task_input_borrow_chunk_t borrowed, bindings_string_t *parameters, pframe_task_types_failure_t *told) {
    char *text = begin(parameters);
    pframe_chunk chunk = {
        {.size = pframe_task_input_method_chunk_size(borrowed), .handle = borrowed.__handle, .part = OF_CHUNK}};
    pframe_result result = pframe_exported_handler(&chunk, text, &output);
    /* Whoever borrows gives back, or the host ends the call. */
    pframe_task_input_chunk_drop_borrow(borrowed);
    free(text);
    return end(result, told);
}

/* Without a chunker the component does not export this. */
bool exports_pframe_task_chunker_cut(
    pframe_task_input_borrow_source_t borrowed,
    bindings_string_t *parameters,
    exports_pframe_task_chunker_list_span_t *cuts,
    pframe_task_types_failure_t *told) {
    char *text = begin(parameters);
    pframe_source source = {
        {.size = pframe_task_input_method_source_size(borrowed), .handle = borrowed.__handle, .part = OF_SOURCE}};
    pframe_spans spans = {NULL, 0, 0};
    pframe_result result = pframe_exported_chunker(&source, text, &spans);
    pframe_task_input_source_drop_borrow(borrowed);
    free(text);
    if (!end(result, told)) {
        free(spans.spans);
        return false;
    }
    /* The bindings free them. */
    *cuts = (exports_pframe_task_chunker_list_span_t){spans.spans, spans.count};
    return true;
}

static bool collect(
    pframe_collect *work,
    pframe_task_input_borrow_partials_t borrowed,
    bindings_string_t *parameters,
    pframe_task_types_failure_t *told) {
    char *text = begin(parameters);
    pframe_parts parts = {pframe_task_input_method_partials_count(borrowed), borrowed.__handle};
    pframe_result result = work(&parts, text, &output);
    pframe_task_input_partials_drop_borrow(borrowed);
    free(text);
    return end(result, told);
}

/* Without a collector the component exports neither of these two. */
bool exports_pframe_task_collector_combine(
    pframe_task_input_borrow_partials_t parts, bindings_string_t *parameters, pframe_task_types_failure_t *told) {
    return collect(pframe_exported_collector.merge, parts, parameters, told);
}

bool exports_pframe_task_collector_finish(
    pframe_task_input_borrow_partials_t parts, bindings_string_t *parameters, pframe_task_types_failure_t *told) {
    return collect(pframe_exported_collector.conclude, parts, parameters, told);
}
