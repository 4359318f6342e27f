#include "host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

host the_host;

static pframe_handle *handler;
static pframe_split *splitter;
static pframe_collect *merger;
static pframe_collect *concluder;

static pframe_result handle(const pframe_chunk *chunk, const char *parameters, pframe_output *output) {
    return handler(chunk, parameters, output);
}

static pframe_result split(const pframe_source *source, const char *parameters, pframe_spans *spans) {
    return splitter(source, parameters, spans);
}

static pframe_result merge(const pframe_parts *parts, const char *parameters, pframe_output *output) {
    return merger(parts, parameters, output);
}

static pframe_result conclude(const pframe_parts *parts, const char *parameters, pframe_output *output) {
    return concluder(parts, parameters, output);
}

PFRAME_HANDLER(handle);
PFRAME_CHUNKER(split);
PFRAME_COLLECTOR(merge, conclude);

/* ---- What a test does ---- */

void host_has(const char *data, size_t length) {
    host_is_done();
    the_host = (host){.block_length = PFRAME_PIECE_BYTES_MAX, .fails_at = UINT64_MAX};
    the_host.parts[0] = (pframe_bytes){(char *)(uintptr_t)data, length};
}

void host_has_text(const char *text) {
    host_has(text, strlen(text));
}

void host_adds_part(const char *text) {
    the_host.parts[the_host.parts_count++] = (pframe_bytes){(char *)(uintptr_t)text, strlen(text)};
}

void host_is_done(void) {
    free(the_host.written.data);
    the_host.written = (pframe_bytes){NULL, 0};
}

static bindings_string_t string_of(const char *text) {
    size_t length = strlen(text);
    bindings_string_t string = {length == 0 ? (uint8_t *)1 : memcpy(malloc(length), text, length), length};
    return string;
}

static ending ending_of(bool is_ok, pframe_task_types_failure_t *failure) {
    static const pframe_result RESULTS[] = {PFRAME_INVALID, PFRAME_TRANSIENT, PFRAME_PERMANENT};
    ending ending = {PFRAME_OK, ""};
    if (is_ok) return ending;
    ending.result = RESULTS[failure->tag];
    memcpy(ending.text, failure->val.permanent.ptr, failure->val.permanent.len);
    free(failure->val.permanent.ptr);
    return ending;
}

ending host_runs(pframe_handle *work, const char *parameters) {
    bindings_string_t string = string_of(parameters);
    pframe_task_types_failure_t failure;
    handler = work;
    bool is_ok = exports_pframe_task_handler_run((pframe_task_input_borrow_chunk_t){7}, &string, &failure);
    return ending_of(is_ok, &failure);
}

ending host_cuts(pframe_split *work, const char *parameters) {
    bindings_string_t string = string_of(parameters);
    exports_pframe_task_chunker_list_span_t cuts;
    pframe_task_types_failure_t failure;
    splitter = work;
    bool is_ok = exports_pframe_task_chunker_cut((pframe_task_input_borrow_source_t){9}, &string, &cuts, &failure);
    the_host.spans_count = is_ok ? cuts.len : 0;
    for (size_t at = 0; at < the_host.spans_count && at < SPANS_MAX; at++) {
        pframe_task_types_span_t span = cuts.ptr[at];
        the_host.spans[at] = (pframe_span){span.start, span.end, span.unit == PFRAME_TASK_TYPES_UNIT_MILLISECONDS};
    }
    if (is_ok) free(cuts.ptr);
    return ending_of(is_ok, &failure);
}

ending host_combines(pframe_collect *work, const char *parameters) {
    bindings_string_t string = string_of(parameters);
    pframe_task_types_failure_t failure;
    merger = work;
    bool is_ok = exports_pframe_task_collector_combine((pframe_task_input_borrow_partials_t){8}, &string, &failure);
    return ending_of(is_ok, &failure);
}

ending host_finishes(pframe_collect *work, const char *parameters) {
    bindings_string_t string = string_of(parameters);
    pframe_task_types_failure_t failure;
    concluder = work;
    bool is_ok = exports_pframe_task_collector_finish((pframe_task_input_borrow_partials_t){8}, &string, &failure);
    return ending_of(is_ok, &failure);
}

/* ---- What the contract imports ---- */

static bool read_from(
    pframe_bytes part, uint64_t offset, uint32_t length, bindings_list_u8_t *ret, pframe_task_input_read_error_t *err) {
    if (length > PFRAME_PIECE_BYTES_MAX || offset > part.length + the_host.pretended || offset >= the_host.fails_at) {
        err->tag = length > PFRAME_PIECE_BYTES_MAX ? PFRAME_TASK_TYPES_READ_ERROR_TOO_LONG
                   : offset >= the_host.fails_at   ? the_host.read_error
                                                   : PFRAME_TASK_TYPES_READ_ERROR_OUT_OF_RANGE;
        if (err->tag == PFRAME_TASK_TYPES_READ_ERROR_IO) err->val.io = string_of("the disk is gone");
        return false;
    }
    size_t start = offset < part.length ? (size_t)offset : part.length;
    size_t taken = part.length - start;
    if (taken > length) taken = length;
    if (taken > the_host.block_length) taken = the_host.block_length;
    *ret = (bindings_list_u8_t){taken == 0 ? (uint8_t *)1 : memcpy(malloc(taken), part.data + start, taken), taken};
    return true;
}

bool pframe_task_input_method_chunk_read(
    pframe_task_input_borrow_chunk_t self,
    uint64_t offset,
    uint32_t length,
    bindings_list_u8_t *ret,
    pframe_task_input_read_error_t *err) {
    (void)self;
    return read_from(the_host.parts[0], offset, length, ret, err);
}

bool pframe_task_input_method_source_read(
    pframe_task_input_borrow_source_t self,
    uint64_t offset,
    uint32_t length,
    bindings_list_u8_t *ret,
    pframe_task_input_read_error_t *err) {
    (void)self;
    return read_from(the_host.parts[0], offset, length, ret, err);
}

bool pframe_task_input_method_partials_read(
    pframe_task_input_borrow_partials_t self,
    uint32_t index,
    uint64_t offset,
    uint32_t length,
    bindings_list_u8_t *ret,
    pframe_task_input_read_error_t *err) {
    (void)self;
    return read_from(the_host.parts[index], offset, length, ret, err);
}

uint64_t pframe_task_input_method_chunk_size(pframe_task_input_borrow_chunk_t self) {
    (void)self;
    return the_host.parts[0].length + the_host.pretended;
}

uint32_t pframe_task_input_method_chunk_index(pframe_task_input_borrow_chunk_t self) {
    return (uint32_t)self.__handle + 1;
}

uint32_t pframe_task_input_method_chunk_count(pframe_task_input_borrow_chunk_t self) {
    return (uint32_t)self.__handle + 2;
}

uint32_t pframe_task_input_method_chunk_attempt(pframe_task_input_borrow_chunk_t self) {
    return (uint32_t)self.__handle + 3;
}

void pframe_task_input_method_chunk_job_id(pframe_task_input_borrow_chunk_t self, bindings_string_t *ret) {
    (void)self;
    *ret = string_of("count-novels");
}

void pframe_task_input_method_chunk_source(pframe_task_input_borrow_chunk_t self, bindings_string_t *ret) {
    (void)self;
    *ret = string_of("");
}

bool pframe_task_input_method_chunk_media_type(pframe_task_input_borrow_chunk_t self, bindings_string_t *ret) {
    (void)self;
    if (the_host.media_type != NULL) *ret = string_of(the_host.media_type);
    return the_host.media_type != NULL;
}

void pframe_task_input_method_chunk_span(pframe_task_input_borrow_chunk_t self, pframe_task_input_span_t *ret) {
    (void)self;
    *ret = (pframe_task_input_span_t){3, 5, PFRAME_TASK_TYPES_UNIT_MILLISECONDS};
}

void pframe_task_input_chunk_drop_borrow(pframe_task_input_borrow_chunk_t handle_of_chunk) {
    the_host.dropped_count += handle_of_chunk.__handle == 7;
}

uint64_t pframe_task_input_method_source_size(pframe_task_input_borrow_source_t self) {
    (void)self;
    return the_host.parts[0].length + the_host.pretended;
}

void pframe_task_input_method_source_name(pframe_task_input_borrow_source_t self, bindings_string_t *ret) {
    *ret = string_of(self.__handle == 9 ? "novel.txt" : "");
}

bool pframe_task_input_method_source_media_type(pframe_task_input_borrow_source_t self, bindings_string_t *ret) {
    (void)self;
    if (the_host.media_type != NULL) *ret = string_of(the_host.media_type);
    return the_host.media_type != NULL;
}

void pframe_task_input_source_drop_borrow(pframe_task_input_borrow_source_t handle_of_source) {
    the_host.dropped_count += handle_of_source.__handle == 9;
}

uint32_t pframe_task_input_method_partials_count(pframe_task_input_borrow_partials_t self) {
    (void)self;
    return the_host.parts_count;
}

uint64_t pframe_task_input_method_partials_size(pframe_task_input_borrow_partials_t self, uint32_t index) {
    (void)self;
    return the_host.parts[index].length;
}

void pframe_task_input_partials_drop_borrow(pframe_task_input_borrow_partials_t handle_of_parts) {
    the_host.dropped_count += handle_of_parts.__handle == 8;
}

bool pframe_task_output_write(bindings_list_u8_t *bytes, bindings_string_t *err) {
    if (the_host.has_full_disk || bytes->len > PFRAME_PIECE_BYTES_MAX) {
        *err = string_of("the disk is full");
        the_host.has_full_disk = false;
        return false;
    }
    pframe_bytes *written = &the_host.written;
    written->data = realloc(written->data, written->length + bytes->len);
    memcpy(written->data + written->length, bytes->ptr, bytes->len);
    written->length += bytes->len;
    the_host.pieces_count++;
    if (bytes->len > the_host.piece_length_max) the_host.piece_length_max = bytes->len;
    return true;
}

void pframe_task_progress_report(float done, bindings_string_t *maybe_message) {
    the_host.done = done;
    if (maybe_message == NULL) {
        strcpy(the_host.message, "(none)");
    } else {
        snprintf(
            the_host.message, sizeof the_host.message, "%.*s", (int)maybe_message->len, (const char *)maybe_message->ptr);
    }
}
