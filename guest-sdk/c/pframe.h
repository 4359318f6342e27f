/* Write a handler for pframe-host in C.
 *
 *     #include "pframe.h"
 *
 *     static pframe_result handle(const pframe_chunk *chunk, const char *parameters, pframe_output *output) {
 *         (void)parameters;
 *         pframe_lines lines = pframe_lines_of(chunk->data);
 *         for (pframe_bytes line; pframe_next_line(&lines, &line);) {}
 *         pframe_printf(output, "%" PRIu64 "\n", lines.number);
 *         return PFRAME_OK;
 *     }
 *
 *     PFRAME_HANDLER(handle);
 *
 * Everything that a handler is given comes through `chunk`, everything that it makes leaves through `output`.
 *
 * Two rules hold for all functions:
 *
 * - The first failure of a call counts, whether a function here met it or the handler told it, and it fails the call
 *   whatever the handler returns. Nothing needs to be asked after each read and write: after a failure there is no further
 *   line or block, and no write has an effect.
 * - Every call runs in a fresh instance. Memory that is not freed is gone at its end, and so is every static variable.
 *
 * Sizes and offsets are in bytes. What a caller is to free is freed with `free`; memory that cannot be had ends the call in a
 * crash.
 */
#ifndef PFRAME_H
#define PFRAME_H

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>

#ifdef __wasm__
#include "generated/worlds.h"
#endif

/* Bytes of a block, and of one piece of output, at most: what the host hands over in one call. */
#define PFRAME_PIECE_BYTES_MAX 1048576

/* Bytes of a failure's text at most; what is longer is cut. */
#define PFRAME_TEXT_BYTES_MAX 4096

/* Lets the compiler check the arguments of a format. */
#define PFRAME_FORMAT(text, arguments) __attribute__((format(printf, text, arguments)))

/* ---- How a call ends ---- */

/* What a handler returns. */
typedef enum {
    PFRAME_OK,
    /* The data or the parameters are wrong, and would be wrong again. Never retried. */
    PFRAME_INVALID,
    /* Something outside was in the way for now. The only failure that is worth another attempt. */
    PFRAME_TRANSIENT,
    /* The task cannot do this, now or later, and the input is not to blame. Never retried. */
    PFRAME_PERMANENT,
} pframe_result;

/* Each gives up, with a sentence for people that says what was wrong and where, and returns what the handler is to return:
 *
 *     return pframe_fail_invalid("line %u has no date", number);
 *
 * Bytes of the text that are not UTF-8 arrive as `?`. */
pframe_result pframe_fail_invalid(const char *format, ...) PFRAME_FORMAT(1, 2);
pframe_result pframe_fail_transient(const char *format, ...) PFRAME_FORMAT(1, 2);
pframe_result pframe_fail_permanent(const char *format, ...) PFRAME_FORMAT(1, 2);

/* The failure of this call so far; `PFRAME_OK` if there is none. Worth a question before long work. */
pframe_result pframe_failed(void);

/* Like `calloc`, but never null: address 0 of a WebAssembly memory can be written, so a null that nobody looks at is no crash
 * but a wrong result. */
void *pframe_allocate(size_t count, size_t size);

/* ---- What is read ---- */

/* Bytes in memory. */
typedef struct {
    char *data;
    size_t length;
} pframe_bytes;

/* Bytes that the host holds: those of a chunk, of a source, or of a part. A small value, to be passed and copied as it is. */
typedef struct {
    uint64_t size;
    /* Private: whose they are. */
    int32_t handle;
    int64_t part;
} pframe_data;

/* Reads up to `length` bytes from `offset` into `buffer` and returns how many: fewer only where the end comes first, or the
 * call has failed. An `offset` beyond the end is a failure. */
size_t pframe_read_at(pframe_data data, uint64_t offset, void *buffer, size_t length);

/* Reads all of it. A zero byte stands behind it. The caller frees `data`, which is null only if the call has failed. */
pframe_bytes pframe_read_all(pframe_data data);

/* All of it, a block at a time. The fields are private. */
typedef struct {
    pframe_data data;
    uint64_t offset;
    pframe_bytes block;
} pframe_blocks;

pframe_blocks pframe_blocks_of(pframe_data data);

/* The next block, of at most `PFRAME_PIECE_BYTES_MAX` bytes; false after the last. It is the caller's to change, and lives
 * until the next call. What `blocks` holds is freed at the end. */
bool pframe_next_block(pframe_blocks *blocks, pframe_bytes *block);

/* Frees what `blocks` holds, for a caller that stops early. */
void pframe_blocks_free(pframe_blocks *blocks);

/* Its lines, in order. The fields are private, except the first two. */
typedef struct {
    /* The number of the line that was read last, from 1; 0 before the first. */
    uint64_t number;
    /* Where that line starts, in bytes from the start. */
    uint64_t offset;
    pframe_blocks blocks;
    pframe_bytes rest;
    pframe_bytes joined;
    size_t joined_capacity;
} pframe_lines;

pframe_lines pframe_lines_of(pframe_data data);

/* The next line, without its end (`\n` or `\r\n`); false after the last. A last line without an end counts. It may have any
 * length, and is bytes: nothing is lost where the text is not UTF-8. A zero byte stands behind it, so that functions for
 * strings work on it. It is the caller's to change, and lives until the next call.
 *
 * In memory: one block, and the longest line that crosses from one block to the next. What `lines` holds is freed at the
 * end. */
bool pframe_next_line(pframe_lines *lines, pframe_bytes *line);

/* Frees what `lines` holds, for a caller that stops early. */
void pframe_lines_free(pframe_lines *lines);

/* One slice of one input: what a handler works on. */
typedef struct {
    pframe_data data;
} pframe_chunk;

/* A half-open range of a source, in bytes, or in milliseconds of a recording. */
typedef struct {
    uint64_t start;
    uint64_t end;
    bool is_time;
} pframe_span;

/* Its place among the chunks of its job, from 0. */
uint32_t pframe_chunk_index(const pframe_chunk *chunk);
/* How many chunks the job has. */
uint32_t pframe_chunk_count(const pframe_chunk *chunk);
/* Which try this is, from 1. */
uint32_t pframe_chunk_attempt(const pframe_chunk *chunk);
/* Where it lies in its source. */
pframe_span pframe_chunk_span(const pframe_chunk *chunk);
/* The job that it belongs to. The caller frees it. */
char *pframe_chunk_job_id(const pframe_chunk *chunk);
/* The name of the source that it was cut from; not a path to open. The caller frees it. */
char *pframe_chunk_source(const pframe_chunk *chunk);
/* Such as `text/plain`; null where the host does not know it. The caller frees it. */
char *pframe_chunk_media_type(const pframe_chunk *chunk);

/* One whole input: what a chunker cuts. */
typedef struct {
    pframe_data data;
} pframe_source;

/* Its name for people; not a path to open. The caller frees it. */
char *pframe_source_name(const pframe_source *source);
/* Such as `text/plain`; null where the host does not know it. The caller frees it. */
char *pframe_source_media_type(const pframe_source *source);

/* What earlier calls wrote, in the order of the chunks: what a collector works on. */
typedef struct {
    uint32_t count;
    /* Private. */
    int32_t handle;
} pframe_parts;

/* One part, by its index from 0. An index that there is none of is a failure, and an empty part. */
pframe_data pframe_part(const pframe_parts *parts, uint32_t index);

/* ---- Parameters ----
 *
 * `parameters` is the JSON text of the job's `parameters`, an object; `{}` if it has none. Each function gives one of its
 * values by name, or `fallback` if there is none of this name. A text that is no JSON, a value of another kind and one out
 * of range fail the call as invalid, and give `fallback`. Of two values of the same name the last counts. */

/* Any number. */
double pframe_parameter_number(const char *parameters, const char *name, double fallback);
/* A whole number from 0 to 2^64 - 1, written without point and exponent. */
uint64_t pframe_parameter_count(const char *parameters, const char *name, uint64_t fallback);
/* True or false. */
bool pframe_parameter_bool(const char *parameters, const char *name, bool fallback);
/* A string, as UTF-8; one with a zero character is invalid. The caller frees it. A copy of `fallback`, which may be null: then
 * so is what is returned. */
char *pframe_parameter_string(const char *parameters, const char *name, const char *fallback);

/* ---- What is written ---- */

/* The result of the running call. It counts only if the call ends well. */
typedef struct pframe_output pframe_output;

/* Appends bytes. Small writes are collected; the host sees pieces of at most `PFRAME_PIECE_BYTES_MAX`. */
void pframe_write(pframe_output *output, const void *data, size_t length);
/* Appends text, as `printf` does. */
void pframe_printf(pframe_output *output, const char *format, ...) PFRAME_FORMAT(2, 3);
/* Hands over what was collected; the end of the call does so too. */
void pframe_flush(pframe_output *output);

/* The cuts of a source. */
typedef struct pframe_spans pframe_spans;

/* Adds a chunk: the bytes from `start` up to, and without, `end`. Chunks come in order, none empty, none over another, as the
 * host checks; what lies between them is left out on purpose. */
void pframe_add_span(pframe_spans *spans, uint64_t start, uint64_t end);

/* Says how much of this call is done, from 0 to 1, with a short word for people, or null. */
void pframe_progress(double done, const char *message);

/* ---- What a component exports ---- */

/* Works on one chunk and writes what came out. */
typedef pframe_result pframe_handle(const pframe_chunk *chunk, const char *parameters, pframe_output *output);

/* Cuts one source. */
typedef pframe_result pframe_split(const pframe_source *source, const char *parameters, pframe_spans *spans);

/* Makes one of several parts. */
typedef pframe_result pframe_collect(const pframe_parts *parts, const char *parameters, pframe_output *output);

/* A collector's two functions, as PFRAME_COLLECTOR names them. */
typedef struct {
    pframe_collect *merge;
    pframe_collect *conclude;
} pframe_collector;

/* The description of a world, which becomes a section of the module; nothing where a test runs natively. */
#ifdef __wasm__
#define PFRAME_DESCRIBED(sections) __asm__(sections)
#else
#define PFRAME_DESCRIBED(sections) _Static_assert(1, "")
#endif

/* Exports a handler, which is a `pframe_handle`. Once in a program, outside of all functions. */
#define PFRAME_HANDLER(handle)            \
    PFRAME_DESCRIBED(PFRAME_WORLD_TASK);  \
    pframe_handle *const pframe_exported_handler = (handle)

/* Exports a chunker, which is a `pframe_split`: custom cuts, for jobs with `chunking: { strategy: custom }`. Beside
 * PFRAME_HANDLER. */
#define PFRAME_CHUNKER(split)               \
    PFRAME_DESCRIBED(PFRAME_WORLD_CHUNKER); \
    pframe_split *const pframe_exported_chunker = (split)

/* Exports a collector, two functions that are `pframe_collect`. `merge` turns several parts into one of the same kind and is
 * associative: the host calls it in a tree. `conclude` turns the parts that are left into the result of the job, and is
 * called once; it may be the same function. Beside PFRAME_HANDLER. */
#define PFRAME_COLLECTOR(merge, conclude)      \
    PFRAME_DESCRIBED(PFRAME_WORLD_COLLECTOR);  \
    const pframe_collector pframe_exported_collector = {(merge), (conclude)}

/* What the macros define. A program without a chunker, or a collector, has none of these. */
extern pframe_handle *const pframe_exported_handler;
extern pframe_split *const pframe_exported_chunker __attribute__((weak));
extern const pframe_collector pframe_exported_collector __attribute__((weak));

#endif
