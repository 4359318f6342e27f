/* A host that holds its bytes in memory.
 *
 * Owns: what the generated bindings would import.
 * Never: is gentler than a host: the same limits, and memory of exactly the size that was asked for. */
#ifndef HOST_H
#define HOST_H

#include "generated/bindings.h"
#include "pframe.h"

#define PARTS_MAX 4
#define SPANS_MAX 1000

/* What a test sets up, and what it finds afterwards. */
typedef struct {
    /* What the chunk, the source, or each part, has. */
    pframe_bytes parts[PARTS_MAX];
    uint32_t parts_count;
    /* Bytes of one read at most, to put the borders of blocks where a test wants them. */
    size_t block_length;
    /* Reads from here on fail with `read_error`. */
    uint64_t fails_at;
    uint8_t read_error;
    /* Bytes that the chunk or the source claims to have beyond those it has. */
    uint64_t pretended;
    const char *media_type;
    /* Whether the next write fails. */
    bool has_full_disk;

    /* What was written. */
    pframe_bytes written;
    size_t pieces_count;
    size_t piece_length_max;
    /* Where the source was cut. */
    pframe_span spans[SPANS_MAX];
    size_t spans_count;
    /* What was said about progress. */
    float done;
    char message[1024];
    /* Handles that were given back. */
    int dropped_count;
} host;

extern host the_host;

/* Begins a test with a chunk of these bytes. */
void host_has(const char *data, size_t length);
void host_has_text(const char *text);
/* Adds a part. */
void host_adds_part(const char *text);
/* Frees what was written. */
void host_is_done(void);

/* How a call ended: `PFRAME_OK`, or the contract's word, and its text. */
typedef struct {
    pframe_result result;
    char text[2 * PFRAME_TEXT_BYTES_MAX];
} ending;

/* Each calls an exported function as a host does. */
ending host_runs(pframe_handle *work, const char *parameters);
ending host_cuts(pframe_split *split, const char *parameters);
ending host_combines(pframe_collect *merge, const char *parameters);
ending host_finishes(pframe_collect *conclude, const char *parameters);

#endif
