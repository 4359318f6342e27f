/* The most frequent words of a text. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "pframe.h"

typedef struct {
    char *text;
    uint64_t count;
} word;

/* A hash table: a word lies in the first free place from its hash on. */
typedef struct {
    word *places;
    size_t capacity, used;
} words;

static word *find(const words *all, const char *text) {
    size_t hash = 2166136261u; /* FNV-1a */
    for (const char *at = text; *at != '\0'; at++) hash = (hash ^ (unsigned char)*at) * 16777619u;
    for (;; hash++) {
        word *place = &all->places[hash & (all->capacity - 1)];
        if (place->text == NULL || strcmp(place->text, text) == 0) return place;
    }
}

static void grow(words *all) {
    words larger = {.capacity = all->capacity == 0 ? 1024 : 2 * all->capacity, .used = all->used};
    larger.places = pframe_allocate(larger.capacity, sizeof(word));
    for (size_t at = 0; at < all->capacity; at++)
        if (all->places[at].text != NULL) *find(&larger, all->places[at].text) = all->places[at];
    free(all->places);
    *all = larger;
}

static void add(words *all, const char *text, uint64_t count) {
    if (2 * all->used >= all->capacity) grow(all);
    word *place = find(all, text);
    if (place->text == NULL) {
        place->text = strcpy(pframe_allocate(strlen(text) + 1, 1), text);
        all->used++;
    }
    place->count += count;
}

static void write_words(const word *places, size_t count, pframe_output *output) {
    for (const word *it = places; it < places + count; it++)
        if (it->text != NULL) pframe_printf(output, "%" PRIu64 " %s\n", it->count, it->text);
}

static pframe_result handle(const pframe_chunk *chunk, const char *parameters, pframe_output *output) {
    (void)parameters;
    words all = {0};
    pframe_lines lines = pframe_lines_of(chunk->data);
    for (pframe_bytes line; pframe_next_line(&lines, &line);) {
        for (char *at = line.data; at < line.data + line.length; at++) {
            char *start = at;
            for (; isalpha((unsigned char)*at); at++) *at = (char)tolower((unsigned char)*at);
            *at = '\0'; /* in place: there is always a byte behind a line */
            if (at > start) add(&all, start, 1);
        }
    }
    write_words(all.places, all.capacity, output);
    return PFRAME_OK;
}

static words total(const pframe_parts *parts) {
    words all = {0};
    for (uint32_t index = 0; index < parts->count; index++) {
        pframe_lines lines = pframe_lines_of(pframe_part(parts, index));
        for (pframe_bytes line; pframe_next_line(&lines, &line);) {
            char *text;
            uint64_t count = strtoull(line.data, &text, 10);
            if (count > 0 && *text == ' ') add(&all, text + 1, count);
            else pframe_fail_permanent("a part is damaged");
        }
    }
    return all;
}

static pframe_result merge(const pframe_parts *parts, const char *parameters, pframe_output *output) {
    (void)parameters;
    words all = total(parts);
    write_words(all.places, all.capacity, output);
    return PFRAME_OK;
}

/* The higher count first, then the word that comes first by its bytes. */
static int by_rank(const void *one, const void *other) {
    const word *left = one, *right = other;
    if (left->count != right->count) return left->count > right->count ? -1 : 1;
    return strcmp(left->text, right->text);
}

static pframe_result conclude(const pframe_parts *parts, const char *parameters, pframe_output *output) {
    uint64_t top = pframe_parameter_count(parameters, "top", 10);
    words all = total(parts);
    size_t listed = 0; /* the words move to the front */
    for (size_t at = 0; at < all.capacity; at++)
        if (all.places[at].text != NULL) all.places[listed++] = all.places[at];
    qsort(all.places, listed, sizeof(word), by_rank);
    write_words(all.places, top < listed ? (size_t)top : listed, output);
    return PFRAME_OK;
}

PFRAME_HANDLER(handle);
PFRAME_COLLECTOR(merge, conclude);
