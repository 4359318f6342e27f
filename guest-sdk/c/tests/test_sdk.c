/* The SDK on chunks that a test holds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"

#define CHECK(condition) check((condition), __LINE__, #condition)
#define HANDLER(name) static pframe_result name(const pframe_chunk *chunk, const char *parameters, pframe_output *output)
#define SPLIT(name) static pframe_result name(const pframe_source *source, const char *parameters, pframe_spans *spans)
#define COLLECT(name) static pframe_result name(const pframe_parts *parts, const char *parameters, pframe_output *output)
#define UNUSED(...) (void)(const void *const[]) { __VA_ARGS__ }

static void check(bool is_true, int line, const char *condition) {
    if (is_true) return;
    fprintf(stderr, "tests/test_sdk.c:%d: not so: %s\n", line, condition);
    exit(1);
}

static bool has_written(const char *text) {
    pframe_bytes written = the_host.written;
    bool is_so = written.length == strlen(text) && (written.length == 0 || memcmp(written.data, text, written.length) == 0);
    if (!is_so) fprintf(stderr, "it wrote: %.*s\n", (int)written.length, written.data);
    return is_so;
}

static bool is(ending ending, pframe_result result, const char *text) {
    bool is_so = ending.result == result && strcmp(ending.text, text) == 0;
    if (!is_so) fprintf(stderr, "it ended with %d: %s\n   and not %d: %s\n", (int)ending.result, ending.text, (int)result, text);
    return is_so;
}

/* ---- Reading ---- */

/* Writes each line in brackets, having looked at what stands behind it. */
HANDLER(show_lines) {
    UNUSED(parameters);
    pframe_lines lines = pframe_lines_of(chunk->data);
    for (pframe_bytes line; pframe_next_line(&lines, &line);) {
        CHECK(line.data[line.length] == '\0');
        pframe_write(output, "[", 1);
        pframe_write(output, line.data, line.length);
        pframe_write(output, "]", 1);
        memset(line.data, '#', line.length + 1); /* it is ours, the zero byte with it */
    }
    CHECK(lines.joined.data == NULL && lines.blocks.block.data == NULL);
    pframe_printf(output, "%" PRIu64, lines.number);
    return PFRAME_OK;
}

static void lines_are_whole_wherever_a_block_ends(void) {
    static const struct {
        const char *text, *expect;
    } CASES[] = {
        {"", "0"},
        {"\n", "[]1"},
        {"\n\n", "[][]2"},
        {"one", "[one]1"},
        {"one\n", "[one]1"},
        {"one\r\n\ntwo\n\xff\nthree", "[one][][two][\xff][three]5"},
        {"one\r\ntwo\r\n", "[one][two]2"},
        {"\r\n\r\n", "[][]2"},
        {"one\r\r\n", "[one\r]1"},
        {"a\rb\n", "[a\rb]1"},
        {"last\r", "[last]1"},
        {"a longer line than those before it\nb\nanother long line\n", "[a longer line than those before it][b][another long line]3"},
    };
    for (size_t at = 0; at < sizeof CASES / sizeof *CASES; at++) {
        for (size_t block = 1; block <= strlen(CASES[at].text) + 1; block++) {
            host_has_text(CASES[at].text);
            the_host.block_length = block;
            CHECK(is(host_runs(show_lines, "{}"), PFRAME_OK, ""));
            CHECK(has_written(CASES[at].expect));
        }
    }
    host_has("a\0b\n\0", 5);
    CHECK(is(host_runs(show_lines, "{}"), PFRAME_OK, ""));
    CHECK(the_host.written.length == 9 && memcmp(the_host.written.data, "[a\0b][\0]2", 9) == 0);
}

HANDLER(measure_lines) {
    UNUSED(parameters);
    pframe_lines lines = pframe_lines_of(chunk->data);
    for (pframe_bytes line; pframe_next_line(&lines, &line);) pframe_printf(output, "%zu ", line.length);
    return PFRAME_OK;
}

static void a_line_may_have_any_length(void) {
    size_t length = 5 * PFRAME_PIECE_BYTES_MAX / 2;
    char *data = malloc(length);
    memset(data, 'x', length);
    data[9] = data[length - 1] = '\n';
    host_has(data, length);
    CHECK(is(host_runs(measure_lines, "{}"), PFRAME_OK, ""));
    CHECK(has_written("9 2621429 "));
    free(data);
}

HANDLER(show_places) {
    UNUSED(parameters);
    pframe_lines lines = pframe_lines_of(chunk->data);
    for (pframe_bytes line; pframe_next_line(&lines, &line);) pframe_printf(output, "%" PRIu64 " ", lines.offset);
    pframe_printf(output, "last %" PRIu64, lines.offset);
    return PFRAME_OK;
}

static void the_offset_of_a_line_is_where_it_starts(void) {
    const char *text = "one\r\n\ntwo\nthree";
    for (size_t block = 1; block <= strlen(text) + 1; block++) {
        host_has_text(text);
        the_host.block_length = block;
        CHECK(is(host_runs(show_places, "{}"), PFRAME_OK, ""));
        CHECK(has_written("0 5 6 10 last 10"));
    }
}

HANDLER(stop_early) {
    UNUSED(parameters, output);
    pframe_lines lines = pframe_lines_of(chunk->data);
    pframe_bytes line;
    for (int number = 0; number < 2; number++) CHECK(pframe_next_line(&lines, &line));
    pframe_lines_free(&lines);
    CHECK(!pframe_next_line(&lines, &line) && lines.number == 2);
    pframe_blocks blocks = pframe_blocks_of(chunk->data);
    CHECK(pframe_next_block(&blocks, &line));
    pframe_blocks_free(&blocks);
    CHECK(!pframe_next_block(&blocks, &line));
    return PFRAME_OK;
}

static void who_stops_early_leaves_nothing(void) {
    host_has_text("one\ntwo\nthree\n");
    the_host.block_length = 5;
    CHECK(is(host_runs(stop_early, "{}"), PFRAME_OK, ""));
}

HANDLER(show_blocks) {
    UNUSED(parameters);
    pframe_blocks blocks = pframe_blocks_of(chunk->data);
    for (pframe_bytes block; pframe_next_block(&blocks, &block);) pframe_printf(output, "%zu ", block.length);
    return PFRAME_OK;
}

static void blocks_are_whole_and_the_last_one_is_short(void) {
    char *data = calloc(2 * PFRAME_PIECE_BYTES_MAX + 5, 1);
    host_has(data, 2 * PFRAME_PIECE_BYTES_MAX + 5);
    CHECK(is(host_runs(show_blocks, "{}"), PFRAME_OK, ""));
    CHECK(has_written("1048576 1048576 5 "));
    host_has_text("");
    CHECK(is(host_runs(show_blocks, "{}"), PFRAME_OK, ""));
    CHECK(has_written(""));
    free(data);
}

HANDLER(read_places) {
    UNUSED(parameters, output);
    char buffer[8] = "";
    CHECK(pframe_read_at(chunk->data, 2, buffer, 3) == 3 && memcmp(buffer, "cde", 3) == 0);
    CHECK(pframe_read_at(chunk->data, 4, buffer, 8) == 2 && memcmp(buffer, "ef", 2) == 0);
    CHECK(pframe_read_at(chunk->data, 6, buffer, 8) == 0);
    CHECK(pframe_read_at(chunk->data, 0, NULL, 0) == 0);
    CHECK(pframe_failed() == PFRAME_OK);
    CHECK(pframe_read_at(chunk->data, 9, buffer, 1) == 0);
    CHECK(pframe_failed() == PFRAME_PERMANENT);
    CHECK(pframe_read_at(chunk->data, 0, buffer, 1) == 0);
    return PFRAME_OK;
}

static void reads_at_any_place_take_as_many_calls_as_they_need(void) {
    for (size_t block = 1; block < 8; block++) {
        host_has_text("abcdef");
        the_host.block_length = block;
        CHECK(is(host_runs(read_places, "{}"), PFRAME_PERMANENT, "byte 9 lies beyond the end"));
    }
}

HANDLER(copy) {
    UNUSED(parameters);
    pframe_bytes all = pframe_read_all(chunk->data);
    if (all.data == NULL) return PFRAME_OK;
    CHECK(all.data[all.length] == '\0');
    pframe_write(output, all.data, all.length);
    free(all.data);
    return PFRAME_OK;
}

static void all_of_it_is_read_into_memory(void) {
    for (size_t block = 1; block < 8; block++) {
        host_has_text("abcdef");
        the_host.block_length = block;
        CHECK(is(host_runs(copy, "{}"), PFRAME_OK, ""));
        CHECK(has_written("abcdef"));
    }
    host_has_text("");
    CHECK(is(host_runs(copy, "{}"), PFRAME_OK, ""));
}

static void a_read_that_fails_ends_the_call_though_the_handler_ignores_it(void) {
    static const struct {
        uint8_t error;
        pframe_result result;
        const char *text;
    } CASES[] = {
        {PFRAME_TASK_TYPES_READ_ERROR_IO, PFRAME_TRANSIENT, "reading at byte 4: the disk is gone"},
        {PFRAME_TASK_TYPES_READ_ERROR_INPUT_CHANGED, PFRAME_PERMANENT,
         "the input is no longer what it was when the job was accepted"},
        {PFRAME_TASK_TYPES_READ_ERROR_OUT_OF_RANGE, PFRAME_PERMANENT, "byte 4 lies beyond the end"},
        {PFRAME_TASK_TYPES_READ_ERROR_TOO_LONG, PFRAME_PERMANENT, "more than 1048576 bytes were asked for at once"},
    };
    static pframe_handle *const HANDLERS[] = {show_lines, show_blocks, copy};
    for (size_t at = 0; at < sizeof CASES / sizeof *CASES; at++) {
        for (size_t handler = 0; handler < sizeof HANDLERS / sizeof *HANDLERS; handler++) {
            host_has_text("ab\ncdef");
            the_host.block_length = 4;
            the_host.fails_at = 4;
            the_host.read_error = CASES[at].error;
            CHECK(is(host_runs(HANDLERS[handler], "{}"), CASES[at].result, CASES[at].text));
        }
    }
}

static void an_input_that_shrank_is_a_failure_and_not_an_end(void) {
    host_has_text("ab\ncdef");
    the_host.pretended = 3;
    const char *text = "the input is no longer what it was when the job was accepted";
    CHECK(is(host_runs(show_lines, "{}"), PFRAME_PERMANENT, text));
    CHECK(is(host_runs(copy, "{}"), PFRAME_PERMANENT, text));
}

HANDLER(describe) {
    UNUSED(parameters);
    char *job_id = pframe_chunk_job_id(chunk), *source = pframe_chunk_source(chunk), *type = pframe_chunk_media_type(chunk);
    pframe_span span = pframe_chunk_span(chunk);
    pframe_printf(
        output, "%s '%s' %s %" PRIu32 "/%" PRIu32 " try %" PRIu32, job_id, source, type == NULL ? "none" : type,
        pframe_chunk_index(chunk), pframe_chunk_count(chunk), pframe_chunk_attempt(chunk));
    pframe_printf(output, " %" PRIu64 "-%" PRIu64 " %d %" PRIu64, span.start, span.end, span.is_time, chunk->data.size);
    free(job_id);
    free(source);
    free(type);
    return PFRAME_OK;
}

static void a_chunk_says_where_it_is_from(void) {
    host_has_text("abc");
    CHECK(is(host_runs(describe, "{}"), PFRAME_OK, ""));
    CHECK(has_written("count-novels '' none 8/9 try 10 3-5 1 3"));
    CHECK(the_host.dropped_count == 1);
    host_has_text("");
    the_host.media_type = "text/plain";
    CHECK(is(host_runs(describe, "{}"), PFRAME_OK, ""));
    CHECK(has_written("count-novels '' text/plain 8/9 try 10 3-5 1 0"));
}

/* ---- Failures ---- */

HANDLER(fail_as_told) {
    UNUSED(chunk, output);
    switch (*parameters) {
    case 'i': return pframe_fail_invalid("line %d is %s", 7, "wrong");
    case 't': return pframe_fail_transient("later");
    case 'p': return pframe_fail_permanent("never");
    case 'o': pframe_fail_invalid("told, and %s", "forgotten"); return PFRAME_OK;
    case 'f':
        pframe_fail_transient("the first");
        return pframe_fail_invalid("the second");
    case 'n': return PFRAME_TRANSIENT;
    default: return pframe_fail_invalid("%s", parameters);
    }
}

static void failures_are_told_in_the_contracts_words(void) {
    host_has_text("");
    CHECK(is(host_runs(fail_as_told, "i"), PFRAME_INVALID, "line 7 is wrong"));
    CHECK(is(host_runs(fail_as_told, "t"), PFRAME_TRANSIENT, "later"));
    CHECK(is(host_runs(fail_as_told, "p"), PFRAME_PERMANENT, "never"));
    CHECK(is(host_runs(fail_as_told, "o"), PFRAME_INVALID, "told, and forgotten"));
    CHECK(is(host_runs(fail_as_told, "f"), PFRAME_TRANSIENT, "the first"));
    CHECK(is(host_runs(fail_as_told, "n"), PFRAME_TRANSIENT, "the handler gave no reason"));
    CHECK(the_host.dropped_count == 6);
    CHECK(is(host_runs(describe, "{}"), PFRAME_OK, ""));
}

static void a_text_is_utf8_whatever_it_was_made_of(void) {
    static const struct {
        const char *text, *expect;
    } CASES[] = {
        {"\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80 \xf4\x8f\xbf\xbf", "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80 \xf4\x8f\xbf\xbf"},
        {"\xff\xfe.", "??."},
        {"\xc3", "?"},
        {"\xc0\x80", "??"},             /* a zero, too long */
        {"\xe0\x9f\xbf", "???"},        /* too long */
        {"\xed\xa0\x80", "???"},        /* a surrogate */
        {"\xf0\x8f\xbf\xbf", "????"},   /* too long */
        {"\xf4\x90\x80\x80", "????"},   /* beyond the last character */
        {"\xe2\x82_\xe2\x82", "??_??"}, /* cut */
    };
    host_has_text("");
    for (size_t at = 0; at < sizeof CASES / sizeof *CASES; at++)
        CHECK(is(host_runs(fail_as_told, CASES[at].text), PFRAME_INVALID, CASES[at].expect));
    char text[PFRAME_TEXT_BYTES_MAX + 100], expect[PFRAME_TEXT_BYTES_MAX + 1];
    memset(text, 'x', sizeof text);
    memset(expect, 'x', sizeof expect);
    text[sizeof text - 1] = expect[sizeof expect - 1] = '\0';
    CHECK(is(host_runs(fail_as_told, text), PFRAME_INVALID, expect));
    memcpy(text + PFRAME_TEXT_BYTES_MAX - 1, "\xc3\xa4", 2);
    expect[PFRAME_TEXT_BYTES_MAX - 1] = '?';
    CHECK(is(host_runs(fail_as_told, text), PFRAME_INVALID, expect));
}

/* ---- Parameters ---- */

HANDLER(show_parameters) {
    UNUSED(chunk);
    char *word = pframe_parameter_string(parameters, "word", "none"), *more = pframe_parameter_string(parameters, "more", NULL);
    pframe_printf(
        output, "%" PRIu64 " %g %s %s %s", pframe_parameter_count(parameters, "top", 10),
        pframe_parameter_number(parameters, "ratio", 0.5), pframe_parameter_bool(parameters, "loud", true) ? "loud" : "quiet",
        word, more == NULL ? "null" : more);
    free(word);
    free(more);
    return PFRAME_OK;
}

static void parameters_are_found_by_name(void) {
    static const struct {
        const char *parameters, *expect;
    } CASES[] = {
        {"{}", "10 0.5 loud none null"},
        {" { } \n", "10 0.5 loud none null"},
        {"{\"top\":3}", "3 0.5 loud none null"},
        {"{ \"ratio\" : -2.5e-1 , \"loud\" : false, \"word\": \"x\", \"more\":\"\" }", "10 -0.25 quiet x "},
        {"{\"top\":18446744073709551615,\"ratio\":0}", "18446744073709551615 0 loud none null"},
        {"{\"top\":1,\"top\":2}", "2 0.5 loud none null"},
        {"{\"a\":{\"top\":7,\"b\":[[],{},\"top\",{\"top\":8}]},\"toptop\":9,\"to\":[1,2]}", "10 0.5 loud none null"},
        {"{\"\\u0074o\\u0070\":4,\"ratio\":1E+2}", "4 100 loud none null"},
        {"{\"word\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}", "10 0.5 loud \"\\/\b\f\n\r\t null"},
        {"{\"word\":\"\\u00e4\\u20AC\\uD83d\\uDe00\xc3\xa4\"}", "10 0.5 loud \xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\xc3\xa4 null"},
        {"{\"null\":null,\"top\\u0000\":1}", "10 0.5 loud none null"},
    };
    for (size_t at = 0; at < sizeof CASES / sizeof *CASES; at++) {
        host_has_text("");
        CHECK(is(host_runs(show_parameters, CASES[at].parameters), PFRAME_OK, ""));
        CHECK(has_written(CASES[at].expect));
    }
}

static void a_parameter_that_does_not_fit_is_named(void) {
    static const struct {
        const char *parameters, *expect;
    } CASES[] = {
        {"{\"top\":\"many\"}", "parameter `top` is a string, and should be a number"},
        {"{\"top\":null}", "parameter `top` is null, and should be a number"},
        {"{\"top\":[1]}", "parameter `top` is an array, and should be a number"},
        {"{\"word\":{}}", "parameter `word` is an object, and should be a string"},
        {"{\"loud\":0}", "parameter `loud` is a number, and should be a boolean"},
        {"{\"word\":true}", "parameter `word` is a boolean, and should be a string"},
        {"{\"top\":-1}", "parameter `top` is -1, and should be a whole number from 0"},
        {"{\"top\":1.0}", "parameter `top` is 1.0, and should be a whole number from 0"},
        {"{\"top\":1e3}", "parameter `top` is 1e3, and should be a whole number from 0"},
        {"{\"top\":18446744073709551616}",
         "parameter `top` is 18446744073709551616, and should be a whole number from 0"},
        {"{\"ratio\":1e999}", "parameter `ratio` is out of range"},
        {"{\"word\":\"a\\u0000b\"}", "parameter `word` has a zero character"},
    };
    host_has_text("");
    for (size_t at = 0; at < sizeof CASES / sizeof *CASES; at++)
        CHECK(is(host_runs(show_parameters, CASES[at].parameters), PFRAME_INVALID, CASES[at].expect));
}

static void text_that_is_no_json_says_where(void) {
    static const struct {
        const char *parameters, *expect;
    } CASES[] = {
        {"", "an object is missing at byte 0"},
        {" 7", "an object is missing at byte 1"},
        {"[]", "an object is missing at byte 0"},
        {"{", "a string is missing at byte 1"},
        {"{\"", "a string has no end at byte 2"},
        {"{\"a\"", "a colon is missing at byte 4"},
        {"{\"a\":", "a value is missing at byte 5"},
        {"{\"a\":1", "a comma or a brace is missing at byte 6"},
        {"{\"a\":1,", "a string is missing at byte 7"},
        {"{\"a\":1,}", "a string is missing at byte 7"},
        {"{\"a\":1}}", "something follows the object at byte 7"},
        {"{} x", "something follows the object at byte 3"},
        {"{a:1}", "a string is missing at byte 1"},
        {"{\"a\":[1,]}", "a value is missing at byte 8"},
        {"{\"a\":[1", "a comma or a bracket is missing at byte 7"},
        {"{\"a\":[1}", "a comma or a bracket is missing at byte 7"},
        {"{\"a\":tru}", "a value is missing at byte 5"},
        {"{\"a\":NaN}", "a value is missing at byte 5"},
        {"{\"a\":01}", "a comma or a brace is missing at byte 6"},
        {"{\"a\":+1}", "a value is missing at byte 5"},
        {"{\"a\":-}", "a digit is missing at byte 6"},
        {"{\"a\":1.}", "a digit is missing at byte 7"},
        {"{\"a\":.5}", "a value is missing at byte 5"},
        {"{\"a\":1e}", "a digit is missing at byte 7"},
        {"{\"a\":1e+}", "a digit is missing at byte 8"},
        {"{\"a\":0x10}", "a comma or a brace is missing at byte 6"},
        {"{\"a\":\"\n\"}", "a control character in a string at byte 6"},
        {"{\"a\":\"\\", "an escape that there is none of at byte 7"},
        {"{\"a\":\"\\x\"}", "an escape that there is none of at byte 7"},
        {"{\"a\":\"\\u12", "an escape that there is none of at byte 10"},
        {"{\"a\":\"\\u12g4\"}", "an escape that there is none of at byte 10"},
        {"{\"a\":\"\\ud800\"}", "an escape that there is none of at byte 12"},
        {"{\"a\":\"\\udc00\"}", "an escape that there is none of at byte 12"},
        {"{\"a\":\"\\ud800\\u0041\"}", "an escape that there is none of at byte 18"},
        {"{\"a\":'b'}", "a value is missing at byte 5"},
        {"{\"a\" 1}", "a colon is missing at byte 5"},
        {"{\"top\":1,\"a\"}", "a colon is missing at byte 12"},
    };
    host_has_text("");
    for (size_t at = 0; at < sizeof CASES / sizeof *CASES; at++) {
        char expect[128];
        snprintf(expect, sizeof expect, "the parameters are not JSON: %s", CASES[at].expect);
        CHECK(is(host_runs(show_parameters, CASES[at].parameters), PFRAME_INVALID, expect));
    }
}

static void every_beginning_of_a_text_is_no_json_and_no_crash(void) {
    const char *whole = "{\"word\":\"\\ud83d\\ude00\\n\",\"b\":[true,null,{\"c\":-1.5e+7}],\"top\":12}";
    host_has_text("");
    for (size_t length = 0; length < strlen(whole); length++) {
        char *part = calloc(length + 1, 1);
        memcpy(part, whole, length);
        CHECK(host_runs(show_parameters, part).result == PFRAME_INVALID);
        free(part);
    }
    CHECK(host_runs(show_parameters, whole).result == PFRAME_OK);
}

static void values_may_lie_within_each_other_but_not_without_end(void) {
    char text[300] = "{\"a\":", *end = text + strlen(text);
    host_has_text("");
    for (size_t depth = 63; depth < 66; depth++) {
        memset(end, '[', depth);
        memset(end + depth, ']', depth);
        strcpy(end + 2 * depth, "}");
        ending ending = host_runs(show_parameters, text);
        CHECK(depth <= 64 ? ending.result == PFRAME_OK : strstr(ending.text, "too many values within each other") != NULL);
    }
}

/* ---- Writing ---- */

HANDLER(write_much) {
    UNUSED(chunk, parameters);
    size_t length = 3 * PFRAME_PIECE_BYTES_MAX;
    char *data = malloc(length);
    memset(data, 'y', length);
    for (int number = 0; number < 1000; number++) pframe_printf(output, "%0100d", number);
    pframe_write(output, data, length);
    pframe_write(output, data, 0);
    data[length - 1] = '\0';
    pframe_printf(output, "%s%c", data, 'z');
    free(data);
    return PFRAME_OK;
}

static void output_is_collected_and_handed_over_in_pieces(void) {
    host_has_text("");
    CHECK(is(host_runs(write_much, "{}"), PFRAME_OK, ""));
    size_t expect = 100000 + 6 * PFRAME_PIECE_BYTES_MAX;
    CHECK(the_host.written.length == expect && the_host.written.data[expect - 1] == 'z');
    for (int number = 0; number < 1000; number++) {
        char text[101];
        snprintf(text, sizeof text, "%0100d", number);
        CHECK(memcmp(the_host.written.data + 100 * number, text, 100) == 0);
    }
    for (size_t at = 100000; at < expect - 1; at++) CHECK(the_host.written.data[at] == 'y');
    CHECK(the_host.piece_length_max <= PFRAME_PIECE_BYTES_MAX);
    CHECK(the_host.pieces_count < 12);
}

/* Writes around the room that is left, to the byte. */
HANDLER(write_around_the_border) {
    UNUSED(chunk, parameters);
    static char data[2 * 65536];
    memset(data, 'x', sizeof data);
    for (int by = -2; by <= 2; by++) {
        pframe_printf(output, "%.*s", 65536 + by - 1, data);
        pframe_printf(output, "%s", "ab");
        pframe_write(output, data, (size_t)(65536 + by));
        pframe_flush(output);
        pframe_flush(output);
    }
    return PFRAME_OK;
}

static void writes_to_the_border_of_what_is_collected_are_whole(void) {
    host_has_text("");
    CHECK(is(host_runs(write_around_the_border, "{}"), PFRAME_OK, ""));
    CHECK(the_host.written.length == 5 * (2 * 65536 + 1));
    size_t letters = 0;
    for (size_t at = 0; at < the_host.written.length; at++) letters += the_host.written.data[at] != 'x';
    CHECK(letters == 10);
}

static void a_write_that_fails_ends_the_call(void) {
    host_has_text("abc");
    the_host.has_full_disk = true;
    CHECK(is(host_runs(copy, "{}"), PFRAME_PERMANENT, "writing: the disk is full"));
    the_host.has_full_disk = true;
    CHECK(is(host_runs(write_much, "{}"), PFRAME_PERMANENT, "writing: the disk is full"));
    CHECK(the_host.pieces_count == 0); /* none after the one that failed either */
}

HANDLER(report) {
    UNUSED(chunk, output);
    pframe_progress(0.5, *parameters == '-' ? NULL : parameters);
    return PFRAME_OK;
}

static void progress_has_a_short_word_or_none(void) {
    host_has_text("");
    CHECK(is(host_runs(report, "half\xff"), PFRAME_OK, ""));
    CHECK(the_host.done == 0.5f && strcmp(the_host.message, "half?") == 0);
    CHECK(is(host_runs(report, "-"), PFRAME_OK, ""));
    CHECK(strcmp(the_host.message, "(none)") == 0);
    char word[300];
    memset(word, 'w', sizeof word);
    word[sizeof word - 1] = '\0';
    CHECK(is(host_runs(report, word), PFRAME_OK, ""));
    CHECK(strlen(the_host.message) == 256);
}

/* ---- Chunkers ---- */

SPLIT(cut_lines) {
    uint64_t start = 0;
    pframe_lines lines = pframe_lines_of(source->data);
    for (pframe_bytes line; pframe_next_line(&lines, &line);) {
        if (lines.offset > start) pframe_add_span(spans, start, lines.offset);
        start = lines.offset;
    }
    if (start < source->data.size) pframe_add_span(spans, start, source->data.size);
    return pframe_parameter_bool(parameters, "fail", false) ? pframe_fail_invalid("no") : PFRAME_OK;
}

SPLIT(refuse_by_name) {
    UNUSED(parameters);
    char *name = pframe_source_name(source), *type = pframe_source_media_type(source);
    pframe_add_span(spans, 0, 1);
    pframe_fail_permanent("%s: %s", name, type == NULL ? "none" : type);
    free(name);
    free(type);
    return PFRAME_OK;
}

static void a_chunker_cuts_wherever_a_block_ends(void) {
    for (size_t block = 1; block < 12; block++) {
        host_has_text("one\r\ntwo\nx");
        the_host.block_length = block;
        CHECK(is(host_cuts(cut_lines, "{}"), PFRAME_OK, ""));
        CHECK(the_host.spans_count == 3 && the_host.spans[0].start == 0 && the_host.spans[0].end == 5);
        CHECK(the_host.spans[1].start == 5 && the_host.spans[1].end == 9);
        CHECK(the_host.spans[2].start == 9 && the_host.spans[2].end == 10 && !the_host.spans[2].is_time);
        CHECK(the_host.dropped_count == 1);
    }
    host_has_text("");
    CHECK(is(host_cuts(cut_lines, "{}"), PFRAME_OK, "") && the_host.spans_count == 0);
}

static void a_source_may_have_many_cuts(void) {
    char text[SPANS_MAX];
    memset(text, '\n', sizeof text);
    host_has(text, sizeof text);
    CHECK(is(host_cuts(cut_lines, "{}"), PFRAME_OK, "") && the_host.spans_count == SPANS_MAX);
    for (size_t at = 0; at < SPANS_MAX; at++) CHECK(the_host.spans[at].start == at && the_host.spans[at].end == at + 1);
}

static void a_chunker_fails_as_a_handler_does(void) {
    host_has_text("one\ntwo\n");
    CHECK(is(host_cuts(cut_lines, "{\"fail\":true}"), PFRAME_INVALID, "no"));
    CHECK(is(host_cuts(cut_lines, "{\"fail\":0}"), PFRAME_INVALID, "parameter `fail` is a number, and should be a boolean"));
    CHECK(is(host_cuts(refuse_by_name, "{}"), PFRAME_PERMANENT, "novel.txt: none"));
    the_host.media_type = "text/plain";
    CHECK(is(host_cuts(refuse_by_name, "{}"), PFRAME_PERMANENT, "novel.txt: text/plain"));
    the_host.fails_at = 4;
    the_host.block_length = 4;
    the_host.read_error = PFRAME_TASK_TYPES_READ_ERROR_IO;
    CHECK(is(host_cuts(cut_lines, "{}"), PFRAME_TRANSIENT, "reading at byte 4: the disk is gone"));
    the_host.fails_at = UINT64_MAX;
    CHECK(is(host_cuts(cut_lines, "{}"), PFRAME_OK, "") && the_host.spans_count == 2);
    CHECK(the_host.dropped_count == 6);
}

/* ---- Collectors ---- */

COLLECT(sum) {
    UNUSED(parameters);
    uint64_t total = 0;
    for (uint32_t index = 0; index < parts->count; index++) {
        pframe_lines lines = pframe_lines_of(pframe_part(parts, index));
        for (pframe_bytes line; pframe_next_line(&lines, &line);) total += strtoull(line.data, NULL, 10);
    }
    pframe_printf(output, "%" PRIu64, total);
    return PFRAME_OK;
}

COLLECT(read_the_part_behind_the_last) {
    UNUSED(parameters, output);
    pframe_data data = pframe_part(parts, parts->count);
    CHECK(data.size == 0 && pframe_read_all(data).data == NULL);
    return PFRAME_OK;
}

COLLECT(refuse) {
    UNUSED(parts, parameters);
    pframe_write(output, "x", 1);
    return pframe_fail_invalid("no");
}

static void a_collector_reads_every_part(void) {
    for (size_t block = 1; block < 8; block++) {
        host_has_text("");
        host_adds_part("1\n2\n");
        host_adds_part("");
        host_adds_part("30");
        the_host.block_length = block;
        CHECK(is(host_combines(sum, "{}"), PFRAME_OK, ""));
        CHECK(has_written("33"));
        CHECK(is(host_finishes(sum, "{}"), PFRAME_OK, ""));
        CHECK(has_written("3333"));
        CHECK(the_host.dropped_count == 2);
    }
    CHECK(is(host_combines(read_the_part_behind_the_last, "{}"), PFRAME_PERMANENT, "there is no part 3 of 3"));
    CHECK(is(host_finishes(refuse, "{}"), PFRAME_INVALID, "no"));
    CHECK(has_written("3333"));
}

#define TEST(name) {#name, name}

int main(void) {
    static const struct {
        const char *name;
        void (*run)(void);
    } TESTS[] = {
        TEST(lines_are_whole_wherever_a_block_ends),
        TEST(a_line_may_have_any_length),
        TEST(the_offset_of_a_line_is_where_it_starts),
        TEST(who_stops_early_leaves_nothing),
        TEST(blocks_are_whole_and_the_last_one_is_short),
        TEST(reads_at_any_place_take_as_many_calls_as_they_need),
        TEST(all_of_it_is_read_into_memory),
        TEST(a_read_that_fails_ends_the_call_though_the_handler_ignores_it),
        TEST(an_input_that_shrank_is_a_failure_and_not_an_end),
        TEST(a_chunk_says_where_it_is_from),
        TEST(failures_are_told_in_the_contracts_words),
        TEST(a_text_is_utf8_whatever_it_was_made_of),
        TEST(parameters_are_found_by_name),
        TEST(a_parameter_that_does_not_fit_is_named),
        TEST(text_that_is_no_json_says_where),
        TEST(every_beginning_of_a_text_is_no_json_and_no_crash),
        TEST(values_may_lie_within_each_other_but_not_without_end),
        TEST(output_is_collected_and_handed_over_in_pieces),
        TEST(writes_to_the_border_of_what_is_collected_are_whole),
        TEST(a_write_that_fails_ends_the_call),
        TEST(progress_has_a_short_word_or_none),
        TEST(a_chunker_cuts_wherever_a_block_ends),
        TEST(a_source_may_have_many_cuts),
        TEST(a_chunker_fails_as_a_handler_does),
        TEST(a_collector_reads_every_part),
    };
    for (size_t at = 0; at < sizeof TESTS / sizeof *TESTS; at++) {
        printf("%s\n", TESTS[at].name);
        fflush(stdout);
        TESTS[at].run();
    }
    host_is_done();
    printf("%zu tests passed\n", sizeof TESTS / sizeof *TESTS);
    return 0;
}
