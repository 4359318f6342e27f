/* Values of the parameters, by name.
 *
 * Owns: as much of JSON (RFC 8259) as that takes: the whole text is checked, one value of the outermost object is given.
 * Never: keeps anything: parameters are short, so each question reads them again. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pframe.h"

/* Arrays and objects within each other at most: each takes some of the stack. */
#define DEPTH_MAX 64

/* A character that is none. */
#define NO_CHARACTER 0xffffffffu

typedef enum { NOTHING, A_NULL, A_BOOL, A_NUMBER, A_STRING, AN_ARRAY, AN_OBJECT } json_kind;

static const char *const KIND_NAMES[] = {"nothing", "null", "a boolean", "a number", "a string", "an array", "an object"};

/* A value: its kind, and where it lies in the text. */
typedef struct {
    json_kind kind;
    const char *start;
    const char *end;
} json_value;

/* A text that is read. What meets a problem returns false or `NOTHING`, and so does all that called it. */
typedef struct {
    const char *text;
    const char *at;
    const char *problem;
    const char *problem_at;
    /* The string that was read last, without its escapes. Never longer than the text. */
    char *string;
    size_t string_length;
} json_reader;

static bool refuse(json_reader *reader, const char *problem) {
    reader->problem = problem;
    reader->problem_at = reader->at;
    return false;
}

static void skip_space(json_reader *reader) {
    reader->at += strspn(reader->at, " \t\r\n");
}

static bool accept(json_reader *reader, char wanted) {
    if (*reader->at != wanted) return false;
    reader->at++;
    return true;
}

static bool is_digit(char character) {
    return character >= '0' && character <= '9';
}

/* Reads four hexadecimal digits. */
static uint32_t read_unit(json_reader *reader) {
    uint32_t unit = 0;
    for (int digit = 0; digit < 4; digit++, reader->at++) {
        const char *digits = "0123456789abcdef0123456789ABCDEF";
        const char *found = *reader->at == '\0' ? NULL : strchr(digits, *reader->at);
        if (found == NULL) return NO_CHARACTER;
        unit = unit << 4 | ((uint32_t)(found - digits) & 15);
    }
    return unit;
}

/* Reads what follows `\u`: one unit, or the two of a pair. */
static uint32_t read_character(json_reader *reader) {
    uint32_t first = read_unit(reader);
    if (first < 0xd800 || first > 0xdfff) return first;
    if (first > 0xdbff || !accept(reader, '\\') || !accept(reader, 'u')) return NO_CHARACTER;
    uint32_t second = read_unit(reader);
    if (second < 0xdc00 || second > 0xdfff) return NO_CHARACTER;
    return 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
}

static void append(json_reader *reader, uint32_t byte) {
    reader->string[reader->string_length++] = (char)(unsigned char)byte;
}

static void append_character(json_reader *reader, uint32_t character) {
    if (character < 0x80) {
        append(reader, character);
        return;
    }
    unsigned more = character < 0x800 ? 1 : character < 0x10000 ? 2 : 3;
    append(reader, (0xff00u >> (more + 1) & 0xff) | character >> 6 * more); /* as many ones as bytes */
    while (more-- > 0) append(reader, 0x80 | (character >> 6 * more & 0x3f));
}

/* Reads what follows a backslash. */
static bool read_escape(json_reader *reader) {
    const char *names = "\"\\/bfnrt";
    const char *found = *reader->at == '\0' ? NULL : strchr(names, *reader->at);
    if (found != NULL) {
        append(reader, (unsigned char)"\"\\/\b\f\n\r\t"[found - names]);
        reader->at++;
        return true;
    }
    uint32_t character = accept(reader, 'u') ? read_character(reader) : NO_CHARACTER;
    if (character == NO_CHARACTER) return refuse(reader, "an escape that there is none of");
    append_character(reader, character);
    return true;
}

static bool read_string(json_reader *reader) {
    reader->string_length = 0;
    if (!accept(reader, '"')) return refuse(reader, "a string is missing");
    while (!accept(reader, '"')) {
        if (*reader->at == '\0') return refuse(reader, "a string has no end");
        if ((unsigned char)*reader->at < 0x20) return refuse(reader, "a control character in a string");
        if (!accept(reader, '\\')) {
            append(reader, (unsigned char)*reader->at++);
        } else if (!read_escape(reader)) {
            return false;
        }
    }
    return true;
}

static bool read_digits(json_reader *reader) {
    if (!is_digit(*reader->at)) return refuse(reader, "a digit is missing");
    while (is_digit(*reader->at)) reader->at++;
    return true;
}

static bool read_number(json_reader *reader) {
    accept(reader, '-');
    if (!accept(reader, '0') && !read_digits(reader)) return false;
    if (accept(reader, '.') && !read_digits(reader)) return false;
    if (!accept(reader, 'e') && !accept(reader, 'E')) return true;
    if (!accept(reader, '+')) accept(reader, '-');
    return read_digits(reader);
}

static bool read_word(json_reader *reader, const char *word) {
    if (strncmp(reader->at, word, strlen(word)) != 0) return refuse(reader, "a value is missing");
    reader->at += strlen(word);
    return true;
}

static json_value read_value(json_reader *reader, int depth);

/* Reads an object, and finds the last value with this name; a name of null is that of none. */
static bool read_object(json_reader *reader, int depth, const char *name, json_value *found) {
    reader->at++;
    skip_space(reader);
    if (accept(reader, '}')) return true;
    do {
        skip_space(reader);
        if (!read_string(reader)) return false;
        bool is_wanted = name != NULL && reader->string_length == strlen(name) &&
                         memcmp(reader->string, name, reader->string_length) == 0;
        skip_space(reader);
        if (!accept(reader, ':')) return refuse(reader, "a colon is missing");
        json_value value = read_value(reader, depth);
        if (value.kind == NOTHING) return false;
        if (is_wanted) *found = value;
    } while (accept(reader, ','));
    return accept(reader, '}') || refuse(reader, "a comma or a brace is missing");
}

static bool read_array(json_reader *reader, int depth) {
    reader->at++;
    skip_space(reader);
    if (accept(reader, ']')) return true;
    do {
        if (read_value(reader, depth).kind == NOTHING) return false;
    } while (accept(reader, ','));
    return accept(reader, ']') || refuse(reader, "a comma or a bracket is missing");
}

static bool read_nested(json_reader *reader, int depth) {
    if (depth >= DEPTH_MAX) return refuse(reader, "too many values within each other");
    return *reader->at == '{' ? read_object(reader, depth + 1, NULL, NULL) : read_array(reader, depth + 1);
}

/* Reads a value, and the space around it. */
static json_value read_value(json_reader *reader, int depth) {
    skip_space(reader);
    json_value value = {NOTHING, reader->at, NULL};
    bool is_read;
    switch (*reader->at) {
    case '{': value.kind = AN_OBJECT, is_read = read_nested(reader, depth); break;
    case '[': value.kind = AN_ARRAY, is_read = read_nested(reader, depth); break;
    case '"': value.kind = A_STRING, is_read = read_string(reader); break;
    case 't': value.kind = A_BOOL, is_read = read_word(reader, "true"); break;
    case 'f': value.kind = A_BOOL, is_read = read_word(reader, "false"); break;
    case 'n': value.kind = A_NULL, is_read = read_word(reader, "null"); break;
    default:
        value.kind = A_NUMBER;
        is_read = *reader->at == '-' || is_digit(*reader->at) ? read_number(reader) : refuse(reader, "a value is missing");
    }
    value.end = reader->at;
    if (!is_read) value.kind = NOTHING;
    skip_space(reader);
    return value;
}

/* Finds a value of one kind by its name. Whatever is wrong fails the call and gives `NOTHING`. */
static json_value find(json_reader *reader, const char *name, json_kind kind) {
    json_value value = {NOTHING, NULL, NULL};
    skip_space(reader);
    bool is_read = *reader->at == '{' ? read_object(reader, 0, name, &value) : refuse(reader, "an object is missing");
    skip_space(reader);
    if (is_read && *reader->at != '\0') is_read = refuse(reader, "something follows the object");
    if (!is_read) {
        pframe_fail_invalid("the parameters are not JSON: %s at byte %td", reader->problem, reader->problem_at - reader->text);
        return (json_value){NOTHING, NULL, NULL};
    }
    if (value.kind != NOTHING && value.kind != kind) {
        pframe_fail_invalid("parameter `%s` is %s, and should be %s", name, KIND_NAMES[value.kind], KIND_NAMES[kind]);
        value.kind = NOTHING;
    }
    return value;
}

static json_reader begin(const char *text) {
    return (json_reader){.text = text, .at = text, .string = pframe_allocate(strlen(text) + 1, 1)};
}

/* As `find`, for kinds that are read where they lie. */
static json_value value_of(const char *parameters, const char *name, json_kind kind) {
    json_reader reader = begin(parameters);
    json_value value = find(&reader, name, kind);
    free(reader.string);
    return value;
}

double pframe_parameter_number(const char *parameters, const char *name, double fallback) {
    json_value value = value_of(parameters, name, A_NUMBER);
    if (value.kind == NOTHING) return fallback;
    double number = strtod(value.start, NULL);
    if (isfinite(number)) return number;
    pframe_fail_invalid("parameter `%s` is out of range", name);
    return fallback;
}

uint64_t pframe_parameter_count(const char *parameters, const char *name, uint64_t fallback) {
    json_value value = value_of(parameters, name, A_NUMBER);
    if (value.kind == NOTHING) return fallback;
    char *end;
    errno = 0;
    unsigned long long count = strtoull(value.start, &end, 10);
    if (*value.start != '-' && end == value.end && errno == 0) return count;
    pframe_fail_invalid(
        "parameter `%s` is %.*s, and should be a whole number from 0", name, (int)(value.end - value.start), value.start);
    return fallback;
}

bool pframe_parameter_bool(const char *parameters, const char *name, bool fallback) {
    json_value value = value_of(parameters, name, A_BOOL);
    return value.kind == NOTHING ? fallback : *value.start == 't';
}

char *pframe_parameter_string(const char *parameters, const char *name, const char *fallback) {
    json_reader reader = begin(parameters);
    json_value value = find(&reader, name, A_STRING);
    if (value.kind == A_STRING) {
        reader.at = value.start;
        read_string(&reader);
        reader.string[reader.string_length] = '\0';
        if (strlen(reader.string) == reader.string_length) return reader.string;
        pframe_fail_invalid("parameter `%s` has a zero character", name);
    }
    free(reader.string);
    return fallback == NULL ? NULL : strcpy(pframe_allocate(strlen(fallback) + 1, 1), fallback);
}
