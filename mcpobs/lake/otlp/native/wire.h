/* Reads the protobuf wire format and the structure of an OTLP trace request. Every read is checked against the end
   of the enclosing message. Accepts the same input as protobuf's own decoder (upb): a known field of another wire type
   is an unknown field, groups are skipped, messages are nested at most DEPTH_MAX deep. (Measured with protobuf 7.36.
   Version 5.29 differs only for unusual input: it accepts lengths of six bytes or more, but no field number 0 in groups.) */

#ifndef MCPOBS_WIRE_H
#define MCPOBS_WIRE_H

#include "text.h"

#define DEPTH_MAX 100

enum { VARINT = 0, I64 = 1, LEN = 2, START_GROUP = 3, END_GROUP = 4, I32 = 5 };

#define TAG(number, wire) ((uint32_t)(number) << 3 | (wire))

typedef struct {
    const uint8_t *at, *end;
} Wire;

typedef struct {
    uint32_t tag;
    uint32_t size;       /* of a LEN field */
    const uint8_t *data; /* of a LEN field */
    uint64_t bits;       /* of any other */
} Field;

/* The functions below are inlined into each loop over fields, so that a Wire stays in registers: 3 times as fast. */
#define INLINED static inline __attribute__((always_inline))

typedef struct {
    const uint8_t *at; /* behind it */
    uint64_t value;
} Varint;

__attribute__((noinline)) static Varint long_varint(Run *run, Wire w, int bytes_max, uint64_t max) {
    uint64_t value = 0;
    for (int i = 0; i < bytes_max && w.at < w.end; i++) {
        uint8_t byte = *w.at++;
        value |= (uint64_t)(byte & 0x7f) << (7 * i); /* of the tenth byte the lowest bit counts */
        if (byte < 0x80 && value > max) break;
        if (byte < 0x80) return (Varint){w.at, value};
    }
    fail(run, MALFORMED, w.at);
}

INLINED uint64_t varint(Run *run, Wire *w, int bytes_max, uint64_t max) {
    if (__builtin_expect(w->at < w->end && *w->at < 0x80, 1)) return *w->at++;
    Varint read = long_varint(run, *w, bytes_max, max);
    w->at = read.at;
    return read.value;
}

INLINED uint32_t read_tag(Run *run, Wire *w) { return (uint32_t)varint(run, w, 5, UINT32_MAX); }
INLINED uint32_t read_size(Run *run, Wire *w) { return (uint32_t)varint(run, w, 5, INT32_MAX); }
INLINED uint64_t read_varint(Run *run, Wire *w) { return varint(run, w, 10, UINT64_MAX); }

INLINED const uint8_t *pass(Run *run, Wire *w, size_t bytes) {
    const uint8_t *at = w->at;
    if (__builtin_expect((size_t)(w->end - at) < bytes, 0)) fail(run, MALFORMED, at);
    w->at = at + bytes;
    return at;
}

/* Returns the end of the group. `depth` is how many levels may follow. Groups hold no known field. A field number
   of 0 passes inside a group, as it does in upb. */
static const uint8_t *skip_group(Run *run, Wire w, uint32_t number, int depth) {
    if (depth < 0) fail(run, TOO_DEEP, w.at);
    for (;;) {
        uint32_t tag = read_tag(run, &w);
        if (tag == TAG(number, END_GROUP)) return w.at;
        switch (tag & 7) {
            case VARINT: read_varint(run, &w); break;
            case I64: pass(run, &w, 8); break;
            case LEN: pass(run, &w, read_size(run, &w)); break;
            case START_GROUP: w.at = skip_group(run, w, tag >> 3, depth - 1); break;
            case I32: pass(run, &w, 4); break;
            default: fail(run, MALFORMED, w.at);
        }
    }
}

/* The next field of a message; false at its end. */
INLINED bool next(Run *run, Wire *w, Field *field, int depth) {
    while (w->at < w->end) {
        uint32_t tag = field->tag = read_tag(run, w);
        if (__builtin_expect(tag >> 3 == 0, 0)) fail(run, MALFORMED, w->at);
        if (__builtin_expect((tag & 7) == LEN, 1)) {
            field->size = read_size(run, w);
            field->data = pass(run, w, field->size);
            field->bits = 0;
            return true;
        }
        field->data = NULL;
        field->size = 0;
        switch (tag & 7) {
            case VARINT: field->bits = read_varint(run, w); return true;
            case I64: field->bits = load64(pass(run, w, 8)); return true;
            case I32: field->bits = load32(pass(run, w, 4)); return true;
            case START_GROUP: w->at = skip_group(run, *w, tag >> 3, depth - 1); break;
            default: fail(run, MALFORMED, w->at);
        }
    }
    return false;
}

static inline Wire inside(const Field *field) { return (Wire){field->data, field->data + field->size}; }

/* -- the messages -------------------------------------------------------------------------------------------- */

typedef enum {
    NOTHING,
    REQUEST,
    RESOURCE_SPANS,
    RESOURCE,
    SCOPE_SPANS,
    SCOPE,
    SPAN,
    EVENT,
    LINK,
    STATUS,
    KEY_VALUE,
    ANY_VALUE,
    ARRAY_VALUE,
    KEY_VALUE_LIST,
} Message;

/* Which message a LEN field holds. Field 1000 of ResourceSpans is instrumentation_library_spans, as sent until 2022. */
static inline Message child(Message message, uint32_t tag) {
    switch (message) {
        case REQUEST: return tag == TAG(1, LEN) ? RESOURCE_SPANS : NOTHING;
        case RESOURCE_SPANS:
            return tag == TAG(1, LEN)                            ? RESOURCE
                   : tag == TAG(2, LEN) || tag == TAG(1000, LEN) ? SCOPE_SPANS
                                                                 : NOTHING;
        case RESOURCE: return tag == TAG(1, LEN) ? KEY_VALUE : NOTHING;
        case SCOPE_SPANS: return tag == TAG(1, LEN) ? SCOPE : tag == TAG(2, LEN) ? SPAN : NOTHING;
        case SCOPE: return tag == TAG(3, LEN) ? KEY_VALUE : NOTHING;
        case SPAN:
            return tag == TAG(9, LEN)    ? KEY_VALUE
                   : tag == TAG(11, LEN) ? EVENT
                   : tag == TAG(13, LEN) ? LINK
                   : tag == TAG(15, LEN) ? STATUS
                                         : NOTHING;
        case EVENT: return tag == TAG(3, LEN) ? KEY_VALUE : NOTHING;
        case LINK: return tag == TAG(4, LEN) ? KEY_VALUE : NOTHING;
        case KEY_VALUE: return tag == TAG(2, LEN) ? ANY_VALUE : NOTHING;
        case ANY_VALUE: return tag == TAG(5, LEN) ? ARRAY_VALUE : tag == TAG(6, LEN) ? KEY_VALUE_LIST : NOTHING;
        case ARRAY_VALUE: return tag == TAG(1, LEN) ? ANY_VALUE : NOTHING;
        case KEY_VALUE_LIST: return tag == TAG(1, LEN) ? KEY_VALUE : NOTHING;
        default: return NOTHING;
    }
}

/* Fails unless the message and its content are well-formed. */
static void validate(Run *run, Message message, Wire w, int depth) {
    Field field;
    if (depth < 0) fail(run, TOO_DEEP, w.at);
    while (next(run, &w, &field, depth)) {
        Message held = child(message, field.tag);
        if (held != NOTHING) validate(run, held, inside(&field), depth - 1);
    }
}

/* -- which spans are accepted -------------------------------------------------------------------------------- */

/* The last one of each counts. */
typedef struct {
    const uint8_t *trace_id, *span_id;
    uint32_t trace_id_size, span_id_size;
    uint64_t start;
} Identity;

static inline bool is_trace_id(const uint8_t *id, uint32_t size) {
    return size == 16 && (load64(id) | load64(id + 8)) != 0;
}

static inline bool is_span_id(const uint8_t *id, uint32_t size) { return size == 8 && load64(id) != 0; }

static inline bool is_taken(const Identity *span) {
    return is_trace_id(span->trace_id, span->trace_id_size) && is_span_id(span->span_id, span->span_id_size);
}

#endif
