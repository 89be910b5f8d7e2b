/* Decodes OTLP trace requests (protobuf) into Arrow columns (see `../columns.py`); `../plain.py` does the same in Python.

   Loaded by `library.py`; knows nothing of Python, so it runs without the interpreter's lock. Holds no state between
   calls except the tables of `mcpobs_otlp_prepare`, which are read only. The memory of a call is a small factor of
   its requests, its time linear: keys are hashed with a secret seed, the text of a resource is made and held once for all
   its spans, and what spans repeat of their resources and scopes is bounded (`fits`). */

#include "arrow.h"
#include "values.h"

#define EXPORT __attribute__((visibility("default")))

/* DuckDB processes a chunk at a time, and each of its functions that reads JSON holds about ten times the JSON's text.
   So the bounds of a chunk, not those of a request, determine the memory of a commit. A row may be larger. */
#define ROWS_MAX (INT64_C(1) << 11)   /* rows of a chunk: the size of DuckDB's vectors */
#define CHUNK_BYTES ((size_t)1 << 20) /* of the spans in a chunk, and of the text that they share, for each of them */
#define REQUEST_BYTES ((size_t)128 << 20) /* of one request, for the same reason */

/* In the order of columns.SPAN. */
enum {
    TRACE_ID,
    SPAN_ID,
    PARENT_SPAN_ID,
    TRACE_STATE,
    FLAGS,
    NAME,
    KIND,
    START,
    END,
    STATUS_CODE,
    STATUS_MESSAGE,
    SCOPE_NAME,
    SCOPE_FACTS,
    SERVICE_NAME,
    SENT_SERVICE,
    RESOURCE_ATTRIBUTES,
    ATTRIBUTES,
    EVENTS,
    LINKS,
    DROPPED,
    SPAN_COLUMNS
};

static const char *const SPAN_NAMES[SPAN_COLUMNS] = {
    "trace_id", "span_id",        "parent_span_id", "trace_state", "flags",        "name",     "kind",       "start_unix_nano", "end_unix_nano",
    "status",   "status_message", "scope_name",     "scope",       "service_name", "sent_service", "resource", "attributes", "events", "links",
    "dropped"};

/* -- set once by Python -------------------------------------------------------------------------------------- */

typedef enum { AS_TEXT, AS_JSON, AS_BIGINT, AS_SMALLINT, AS_BOOLEAN } PromotedType; /* in the order of library._TYPES */

typedef struct {
    const uint8_t *key;
    uint32_t key_size;
    uint32_t column;
    uint64_t hash;
    PromotedType type;
    bool kept;
} Promoted;

#define PROMOTED_SLOTS 1024

static struct {
    bool ready;
    Schema schema;
    Promoted *promoted;
    uint16_t slots[PROMOTED_SLOTS]; /* number in `promoted` + 1 */
    uint64_t expanded_max;          /* columns.MAX_EXPANDED_BYTES */
    void *(*capsule_pointer)(void *, const char *);
} tables;

static const Promoted *find_promoted(const uint8_t *key, uint32_t size, uint64_t hash) {
    for (size_t i = hash % PROMOTED_SLOTS; tables.slots[i] != 0; i = (i + 1) % PROMOTED_SLOTS) {
        const Promoted *found = &tables.promoted[tables.slots[i] - 1];
        if (found->hash == hash && found->key_size == size && same_bytes(found->key, key, size)) return found;
    }
    return NULL;
}

/* -- one call ------------------------------------------------------------------------------------------------ */

/* A key that the last span had at the same place. */
typedef struct {
    uint64_t hash;
    const Promoted *to;
    uint32_t key_size;
    uint32_t at, size; /* of `,"key":` in the call's `known_text` */
} Known;

#define KNOWN_MAX 128

/* Text that all spans of a group share, made once. `entry`: its number in the chunk's dictionary; -1: not there yet. */
typedef struct {
    Buffer text;
    bool is_null;
    int32_t entry;
} Shared;

enum { SHARED_SERVICE, SHARED_SENT_SERVICE, SHARED_RESOURCE, SHARED_SCOPE_NAME, SHARED_SCOPE, SHARED_COUNT };

static const uint8_t SHARED_COLUMNS[SHARED_COUNT] = {SERVICE_NAME, SENT_SERVICE, RESOURCE_ATTRIBUTES, SCOPE_NAME,
                                                      SCOPE_FACTS};

/* Purpose of reading a request. MEASURE: counts its spans, valid or not, and the bytes that they repeat. */
typedef enum { MEASURE, CHECK, DECODE } Purpose;

/* In the order of request.Checked. */
typedef struct {
    uint64_t spans, rejected, oversized, expanded;
} Count;

typedef struct {
    Lists lists;
    Batch *batch;
    Chunk *chunk;
    int64_t spans_left;
    size_t chunk_bytes;
    bool in_order;   /* the span's attributes have had the known keys in their order, so far */
    bool known_cut;  /* the span from which the keys are known had another behind them, which cannot be one */
    size_t left_at;  /* where a span had another */
    size_t n_known;
    Known known[KNOWN_MAX];
    Buffer known_text;
    Shared shared[SHARED_COUNT];
    Buffer resource_schema_url; /* as a JSON string; empty if there is none */
    Purpose purpose;
    Count count;
    uint64_t expanded;       /* of the request, so far */
    uint64_t resource_bytes; /* that each span of the resource repeats */
    uint64_t group_bytes;    /* that each span of the scope repeats, its resource's included */
    bool has_scope;          /* the text of the scope is complete */
} Call;

/* -- the bound on repeated bytes ----------------------------------------------------------------------------- */

/* Adds a span to the sum of its request; false, and nothing is added, if the sum would exceed the limit. CHECK and
   DECODE call it for the same spans in the same order, so they leave out the same ones. */
static inline bool fits(Call *call) {
    if (call->group_bytes > tables.expanded_max - call->expanded) return false;
    call->expanded += call->group_bytes;
    return true;
}

/* -- events and links ---------------------------------------------------------------------------------------- */

enum { SPAN_DEPTH = DEPTH_MAX - 3 }; /* levels that may follow in a span */

static void put_event(Call *call, Buffer *b, Wire w) {
    Field field, name = {.data = NO_BYTES};
    uint64_t time = 0;
    uint32_t dropped = 0;
    size_t base = begin_list(&call->lists), begin = b->size;
    while (next(&call->lists.run, &w, &field, SPAN_DEPTH - 1)) {
        switch (field.tag) {
            case TAG(1, I64): time = field.bits; break;
            case TAG(2, LEN): name = field; break;
            case TAG(3, LEN): read_attribute(&call->lists, base, inside(&field), SPAN_DEPTH - 2); break;
            case TAG(4, VARINT): dropped = (uint32_t)field.bits; break;
        }
    }
    put_text_member(&call->lists.run, b, begin, "name", name.data, name.size);
    put_number_member(&call->lists.run, b, begin, "time_unix_nano", time);
    put_list_member(&call->lists, b, begin, "attributes", base);
    put_number_member(&call->lists.run, b, begin, "dropped_attributes_count", dropped);
    if (!end_object(&call->lists.run, b, begin)) put(&call->lists.run, b, "{}");
}

static void put_link(Call *call, Buffer *b, Wire w) {
    Field field, trace_id = {0}, span_id = {0}, state = {.data = NO_BYTES};
    uint32_t dropped = 0, flags = 0;
    size_t base = begin_list(&call->lists), begin = b->size;
    while (next(&call->lists.run, &w, &field, SPAN_DEPTH - 1)) {
        switch (field.tag) {
            case TAG(1, LEN): trace_id = field; break;
            case TAG(2, LEN): span_id = field; break;
            case TAG(3, LEN): state = field; break;
            case TAG(4, LEN): read_attribute(&call->lists, base, inside(&field), SPAN_DEPTH - 2); break;
            case TAG(5, VARINT): dropped = (uint32_t)field.bits; break;
            case TAG(6, I32): flags = (uint32_t)field.bits; break;
        }
    }
    if (is_trace_id(trace_id.data, trace_id.size))
        put_hex_member(&call->lists.run, b, begin, "trace_id", trace_id.data, trace_id.size);
    if (is_span_id(span_id.data, span_id.size))
        put_hex_member(&call->lists.run, b, begin, "span_id", span_id.data, span_id.size);
    put_text_member(&call->lists.run, b, begin, "trace_state", state.data, state.size);
    put_list_member(&call->lists, b, begin, "attributes", base);
    put_number_member(&call->lists.run, b, begin, "dropped_attributes_count", dropped);
    put_number_member(&call->lists.run, b, begin, "flags", flags);
    if (!end_object(&call->lists.run, b, begin)) put(&call->lists.run, b, "{}");
}

static void set_events(Call *call, size_t column, Wire span, uint32_t tag, void (*put_one)(Call *, Buffer *, Wire)) {
    Field field;
    Buffer *b = set_text(&call->lists.run, call->chunk, column);
    bool first = true;
    while (next(&call->lists.run, &span, &field, SPAN_DEPTH)) {
        if (field.tag != tag) continue;
        put_byte(&call->lists.run, b, first ? '[' : ',');
        first = false;
        put_one(call, b, inside(&field));
    }
    put_byte(&call->lists.run, b, ']');
}

/* -- spans --------------------------------------------------------------------------------------------------- */

/* Sets the attribute's column if the value fits; returns true if the attribute leaves `attributes`. */
static bool promote(Call *call, const Promoted *to, const Value *value) {
    Run *run = &call->lists.run;
    Chunk *chunk = call->chunk;
    switch (to->type) {
        case AS_TEXT:
            if (value->kind == STRING)
                put_text(run, set_text(run, chunk, to->column), value->data, value->size);
            else if (value->kind == INT)
                put_signed(run, set_text(run, chunk, to->column), (int64_t)value->bits);
            return value->kind == STRING && !to->kept;
        case AS_JSON:
            if (value->kind == STRING)
                put_text(run, set_text(run, chunk, to->column), value->data, value->size);
            else
                put_value(&call->lists, set_text(run, chunk, to->column), value);
            return !to->kept;
        case AS_BIGINT:
            if (value->kind != INT) return false;
            set_bigint(run, chunk, to->column, (int64_t)value->bits);
            return !to->kept;
        case AS_SMALLINT:
            if (value->kind != INT || (int64_t)value->bits != (int16_t)value->bits) return false;
            set_smallint(run, chunk, to->column, (int16_t)value->bits);
            return !to->kept;
        case AS_BOOLEAN:
            if (value->kind != BOOL) return false;
            set_boolean(run, chunk, to->column, value->bits != 0);
            return !to->kept;
    }
    return false;
}

/* Adds the entry that read_entry has read. Spans of one kind have the same keys in the same order: a key in the same
   place as in the last span needs no hash, no search for its column and no escaping, a third of all the work. */
static inline void add_attribute(Call *call, size_t base) {
    Lists *lists = &call->lists;
    size_t place = lists->n_entries - base;
    if (call->in_order) {
        Entry *entry = &lists->entries[lists->n_entries];
        const Known *known = &call->known[place];
        if (place < call->n_known && known->key_size == entry->key_size &&
            same_bytes(call->known_text.data + known->at + 2, entry->key, entry->key_size)) {
            entry->known = (uint32_t)place + 1;
            entry->hash = known->hash;
            lists->n_entries++;
            return;
        }
        call->in_order = false;
        call->left_at = place;
        tabulate(lists, base, SLOTS_MIN);
    }
    add_to_list(lists, base);
}

/* Makes the keys of the topmost list the known ones, up to the first that needs escaping. */
__attribute__((noinline)) static void learn(Call *call, size_t base) {
    Run *run = &call->lists.run;
    Buffer *b = &call->known_text;
    if (call->left_at == call->n_known && call->known_cut) return; /* it would be cut there again */
    b->size = call->n_known = 0;
    call->known_cut = false;
    for (size_t i = base; i < call->lists.n_entries; i++) {
        const Entry *entry = &call->lists.entries[i];
        size_t at = b->size;
        put(run, b, ",");
        put_string(run, b, entry->key, entry->key_size);
        put(run, b, ":");
        call->known_cut = call->n_known == KNOWN_MAX || b->size - at != entry->key_size + 4;
        if (call->known_cut) break;
        call->known[call->n_known++] = (Known){
            entry->hash,
            find_promoted(entry->key, entry->key_size, entry->hash),
            entry->key_size,
            (uint32_t)at,
            (uint32_t)(b->size - at),
        };
    }
    reserve(run, b, 16); /* put_known copies whole blocks */
}

static inline void put_known(Call *call, Buffer *b, bool first, const Known *known) {
    const uint8_t *from = call->known_text.data + known->at;
    uint8_t *to = reserve(&call->lists.run, b, known->size + 16);
    for (size_t i = 0; i < known->size; i += 16) memcpy(to + i, from + i, 16);
    if (first) *to = '{';
    b->size += known->size;
}

/* Promotes or writes the topmost list, that of the span, and takes it off the stack. */
static void set_attributes(Call *call, size_t base) {
    Lists *lists = &call->lists;
    Buffer *b = &call->chunk->columns[ATTRIBUTES].text;
    bool any = false;
    size_t end = lists->n_entries;
    for (size_t i = base; i < end; i++) {
        const Entry *entry = &lists->entries[i];
        const Known *known = entry->known == 0 ? NULL : &call->known[entry->known - 1];
        const Promoted *to =
            known != NULL ? known->to : find_promoted(entry->key, entry->key_size, entry->hash);
        Value value = entry->value; /* the stack of entries may move */
        if (to != NULL && promote(call, to, &value)) continue;
        if (known != NULL) {
            put_known(call, b, !any, known);
            put_value(lists, b, &value);
        } else {
            put_member(lists, b, !any, &lists->entries[i]);
        }
        any = true;
    }
    if (!call->in_order) learn(call, base);
    lists->n_entries = base;
    if (any) put_byte(&lists->run, set_text(&lists->run, call->chunk, ATTRIBUTES), '}');
}

static void end_chunk(Call *call) {
    finish_chunk(&call->lists.run, call->chunk);
    Batch *batch = call->batch;
    if (batch->count == batch->capacity) {
        size_t capacity = batch->capacity == 0 ? 4 : batch->capacity * 2;
        batch->chunks = allocated(&call->lists.run, realloc(batch->chunks, capacity * sizeof *batch->chunks));
        batch->capacity = capacity;
    }
    batch->chunks[batch->count++] = call->chunk;
    call->chunk = NULL;
}

static void begin_chunk(Call *call) {
    int64_t rows = call->spans_left < ROWS_MAX ? call->spans_left : ROWS_MAX;
    call->chunk = new_chunk(&call->lists.run, call->batch->schema, rows);
    call->chunk_bytes = 0;
    for (int i = 0; i < SHARED_COUNT; i++) call->shared[i].entry = -1;
}

/* Makes room for a span of `size` bytes, and ensures that its shared text is in the chunk. */
static void begin_row(Call *call, size_t size) {
    for (int i = 0; i < SHARED_COUNT; i++)
        if (!call->shared[i].is_null) size += call->shared[i].text.size;
    if (call->chunk != NULL &&
        (call->chunk->rows == call->chunk->rows_max || call->chunk_bytes + size > CHUNK_BYTES))
        end_chunk(call);
    if (call->chunk == NULL) begin_chunk(call);
    for (int i = 0; i < SHARED_COUNT; i++) {
        Shared *one = &call->shared[i];
        if (one->is_null) continue;
        if (one->entry < 0) one->entry = add_entry(&call->lists.run, call->chunk, SHARED_COLUMNS[i], &one->text);
        set_entry(&call->lists.run, call->chunk, SHARED_COLUMNS[i], one->entry);
    }
    call->chunk_bytes += size;
}

static void set_text_if_any(Call *call, size_t column, const Field *field) {
    if (field->size == 0) return;
    put_text(&call->lists.run, set_text(&call->lists.run, call->chunk, column), field->data, field->size);
}

/* protobuf's enums have 32 bits */
static int32_t enum_bits(uint64_t bits) { return (int32_t)(uint32_t)bits; }

static int16_t enum_value(uint64_t bits) {
    int32_t value = enum_bits(bits);
    return value == (int16_t)value ? (int16_t)value : 0;
}

static void end_scope(Call *call) {
    Run *run = &call->lists.run;
    Shared *scope = &call->shared[SHARED_SCOPE];
    const Buffer *url = &call->resource_schema_url;
    if (url->size != 0) {
        put_key(run, &scope->text, 0, "resource_schema_url");
        put_bytes(run, &scope->text, url->data, url->size);
    }
    scope->is_null = !end_object(run, &scope->text, 0);
    call->has_scope = true;
}

static void read_span(Call *call, Wire span) {
    Run *run = &call->lists.run;
    Wire w = span;
    Field field, parent = {0}, state = {0}, name = {0}, message = {0};
    Identity id = {0};
    uint64_t end = 0, kind = 0, code = 0, flags = 0;
    uint32_t dropped_attributes = 0, dropped_events = 0, dropped_links = 0;
    bool events = false, links = false;
    size_t base = call->lists.n_entries;
    call->in_order = true;
    while (next(run, &w, &field, SPAN_DEPTH)) {
        switch (field.tag) {
            case TAG(1, LEN): id.trace_id = field.data, id.trace_id_size = field.size; break;
            case TAG(2, LEN): id.span_id = field.data, id.span_id_size = field.size; break;
            case TAG(3, LEN): state = field; break;
            case TAG(4, LEN): parent = field; break;
            case TAG(5, LEN): name = field; break;
            case TAG(6, VARINT): kind = field.bits; break;
            case TAG(7, I64): id.start = field.bits; break;
            case TAG(8, I64): end = field.bits; break;
            case TAG(9, LEN):
                read_entry(&call->lists, inside(&field), SPAN_DEPTH - 1);
                add_attribute(call, base);
                break;
            case TAG(10, VARINT): dropped_attributes = (uint32_t)field.bits; break;
            case TAG(11, LEN): events = true; break;
            case TAG(12, VARINT): dropped_events = (uint32_t)field.bits; break;
            case TAG(13, LEN): links = true; break;
            case TAG(14, VARINT): dropped_links = (uint32_t)field.bits; break;
            case TAG(15, LEN): {
                Wire status = inside(&field);
                Field member;
                while (next(run, &status, &member, SPAN_DEPTH - 1)) {
                    if (member.tag == TAG(2, LEN)) message = member;
                    if (member.tag == TAG(3, VARINT)) code = member.bits;
                }
                break;
            }
            case TAG(16, I32): flags = field.bits; break;
        }
    }
    if (!is_taken(&id) || !fits(call)) {
        validate(run, SPAN, span, SPAN_DEPTH);
        call->lists.n_entries = base;
        call->spans_left--;
        give_back(&call->lists);
        return;
    }
    if (!call->has_scope) end_scope(call);
    begin_row(call, (size_t)(span.end - span.at));
    Chunk *chunk = call->chunk;
    put_hex(run, set_text(run, chunk, TRACE_ID), id.trace_id, 16);
    put_hex(run, set_text(run, chunk, SPAN_ID), id.span_id, 8);
    if (is_span_id(parent.data, parent.size)) put_hex(run, set_text(run, chunk, PARENT_SPAN_ID), parent.data, 8);
    set_text_if_any(call, TRACE_STATE, &state);
    set_bigint(run, chunk, FLAGS, (int64_t)flags);
    put_text(run, set_text(run, chunk, NAME), name.data, name.size);
    set_bigint(run, chunk, KIND, enum_bits(kind));
    set_bigint(run, chunk, START, (int64_t)id.start);
    set_bigint(run, chunk, END, (int64_t)end);
    set_smallint(run, chunk, STATUS_CODE, enum_value(code));
    set_text_if_any(call, STATUS_MESSAGE, &message);
    set_attributes(call, base);
    if (events) set_events(call, EVENTS, span, TAG(11, LEN), put_event);
    if (links) set_events(call, LINKS, span, TAG(13, LEN), put_link);
    if (dropped_attributes | dropped_events | dropped_links) {
        Buffer *b = set_text(run, chunk, DROPPED);
        size_t begin = b->size;
        put_number_member(run, b, begin, "attributes", dropped_attributes);
        put_number_member(run, b, begin, "events", dropped_events);
        put_number_member(run, b, begin, "links", dropped_links);
        end_object(run, b, begin);
    }
    end_row(chunk);
    call->spans_left--;
    give_back(&call->lists);
}

/* -- groups of spans ----------------------------------------------------------------------------------------- */

static Buffer *begin_shared(Call *call, int which) {
    Shared *shared = &call->shared[which];
    shared->text.size = 0;
    shared->entry = -1;
    shared->is_null = true;
    return &shared->text;
}

/* Makes the text of a scope, but for the resource's schema URL, which `end_scope` adds at the first span that becomes a
   row: a megabyte of it for each of 100,000 empty scopes would take minutes. */
static void set_scope(Call *call, Wire group) {
    Run *run = &call->lists.run;
    Field field, member, name = {0}, version = {0}, schema_url = {0};
    uint32_t dropped = 0;
    size_t base = begin_list(&call->lists);
    while (next(run, &group, &field, DEPTH_MAX - 2)) {
        if (field.tag == TAG(3, LEN)) schema_url = field;
        if (field.tag != TAG(1, LEN)) continue;
        Wire scope = inside(&field);
        while (next(run, &scope, &member, DEPTH_MAX - 3)) {
            switch (member.tag) {
                case TAG(1, LEN): name = member; break;
                case TAG(2, LEN): version = member; break;
                case TAG(3, LEN): read_attribute(&call->lists, base, inside(&member), DEPTH_MAX - 4); break;
                case TAG(4, VARINT): dropped = (uint32_t)member.bits; break;
            }
        }
    }
    Buffer *b = begin_shared(call, SHARED_SCOPE_NAME);
    put_text(run, b, name.data, name.size);
    call->shared[SHARED_SCOPE_NAME].is_null = b->size == 0;
    call->group_bytes = call->resource_bytes + b->size;
    b = begin_shared(call, SHARED_SCOPE);
    put_text_member(run, b, 0, "version", version.data, version.size);
    put_list_member(&call->lists, b, 0, "attributes", base);
    put_number_member(run, b, 0, "dropped_attributes_count", dropped);
    put_text_member(run, b, 0, "schema_url", schema_url.data, schema_url.size);
    call->group_bytes += b->size == 0 ? 0 : b->size + 1; /* with the brace at its end */
    call->has_scope = false;
    give_back(&call->lists);
}

static void count_span(Call *call, Wire span) {
    Field field;
    Identity id = {0};
    while (next(&call->lists.run, &span, &field, SPAN_DEPTH)) {
        switch (field.tag) {
            case TAG(1, LEN): id.trace_id = field.data, id.trace_id_size = field.size; break;
            case TAG(2, LEN): id.span_id = field.data, id.span_id_size = field.size; break;
            case TAG(7, I64): id.start = field.bits; break;
        }
    }
    if (!is_taken(&id))
        call->count.rejected++;
    else if (!fits(call))
        call->count.oversized++;
    else
        call->count.spans++;
}

static void read_scope_spans(Call *call, Wire group) {
    Field field;
    set_scope(call, group);
    while (next(&call->lists.run, &group, &field, DEPTH_MAX - 2)) {
        if (field.tag != TAG(2, LEN)) continue;
        switch (call->purpose) {
            case MEASURE: call->count.spans++, call->expanded += call->group_bytes; break;
            case CHECK: count_span(call, inside(&field)); break;
            case DECODE: read_span(call, inside(&field)); break;
        }
    }
}

/* The part of the sent service name that `service_name` lacks: see columns.SPAN. */
static void set_sent_service(Call *call, const Value *value) {
    Run *run = &call->lists.run;
    Shared *sent = &call->shared[SHARED_SENT_SERVICE];
    if (value->kind == STRING) {
        if (is_utf8(value->data, value->size)) return;
        put_byte(run, &sent->text, '"');
        put_base64(run, &sent->text, value->data, value->size);
        put_byte(run, &sent->text, '"');
    } else {
        put_value(&call->lists, &sent->text, value);
    }
    sent->is_null = false;
}

static void read_resource_spans(Call *call, Wire group) {
    static const char service_name[] = "service.name";
    Run *run = &call->lists.run;
    Wire w = group;
    Field field, member, schema_url = {0};
    size_t base = begin_list(&call->lists);
    while (next(run, &w, &field, DEPTH_MAX - 1)) {
        if (field.tag == TAG(3, LEN)) schema_url = field;
        if (field.tag != TAG(1, LEN)) continue;
        Wire resource = inside(&field);
        while (next(run, &resource, &member, DEPTH_MAX - 2))
            if (member.tag == TAG(1, LEN)) read_attribute(&call->lists, base, inside(&member), DEPTH_MAX - 3);
    }
    begin_shared(call, SHARED_SERVICE);
    begin_shared(call, SHARED_SENT_SERVICE);
    Buffer *b = begin_shared(call, SHARED_RESOURCE);
    for (size_t i = base, end = call->lists.n_entries; i < end; i++) {
        const Entry *entry = &call->lists.entries[i];
        if (entry->key_size == sizeof service_name - 1 &&
            memcmp(entry->key, service_name, sizeof service_name - 1) == 0) {
            Value value = entry->value; /* the stack of entries may move */
            set_sent_service(call, &value);
            if (value.kind == STRING) {
                put_text(run, &call->shared[SHARED_SERVICE].text, value.data, value.size);
                call->shared[SHARED_SERVICE].is_null = false;
                continue;
            }
            entry = &call->lists.entries[i];
        }
        put_member(&call->lists, b, b->size == 0, entry);
    }
    call->lists.n_entries = base;
    call->shared[SHARED_RESOURCE].is_null = !end_object(run, b, 0);
    give_back(&call->lists);
    call->resource_schema_url.size = 0;
    if (schema_url.size != 0) put_string(run, &call->resource_schema_url, schema_url.data, schema_url.size);
    call->resource_bytes = call->shared[SHARED_SERVICE].text.size + call->shared[SHARED_SENT_SERVICE].text.size + b->size +
                           call->resource_schema_url.size;
    for (Wire scopes = group; next(run, &scopes, &field, DEPTH_MAX - 1);)
        if (field.tag == TAG(2, LEN)) read_scope_spans(call, inside(&field));
    for (Wire scopes = group; next(run, &scopes, &field, DEPTH_MAX - 1);)
        if (field.tag == TAG(1000, LEN)) read_scope_spans(call, inside(&field));
}

static void read_request(Call *call, Wire request, Purpose purpose) {
    Field field;
    call->purpose = purpose;
    call->expanded = 0;
    while (next(&call->lists.run, &request, &field, DEPTH_MAX))
        if (field.tag == TAG(1, LEN)) read_resource_spans(call, inside(&field));
}

/* -- entry points -------------------------------------------------------------------------------------------- */

typedef struct {
    uint64_t request, byte; /* place of the error; byte is UINT64_MAX if unknown */
} Place;

static Wire request_of(Run *run, const uint8_t *body, size_t size) {
    if (size > REQUEST_BYTES) fail(run, TOO_LARGE, NULL);
    return (Wire){body, body + size};
}

static Code failed(const Run *run, const uint8_t *body, size_t request, Place *place) {
    place->request = request;
    place->byte = run->at == NULL ? UINT64_MAX : (uint64_t)(run->at - body);
    return run->code;
}

static void end_call(Call *call) {
    give_back(&call->lists);
    release_chunk(call->chunk);
    release_batch(call->batch);
    for (int i = 0; i < SHARED_COUNT; i++) free(call->shared[i].text.data);
    free(call->lists.entries);
    free(call->lists.slots);
    free(call->lists.scratch.data);
    free(call->known_text.data);
    free(call->resource_schema_url.data);
    free(call);
}

/* Reads one request for a purpose other than decoding. */
static int look_at(const uint8_t *body, size_t size, Purpose purpose, Count *count, uint64_t *expanded, Place *place) {
    Call *call = calloc(1, sizeof *call); /* on the heap, where values stay defined after longjmp */
    if (call == NULL) return NO_MEMORY;
    Run *run = &call->lists.run;
    if (setjmp(run->out)) {
        Code code = failed(run, body, 0, place);
        end_call(call);
        return code;
    }
    Wire request = request_of(run, body, size);
    if (purpose == CHECK) validate(run, REQUEST, request, DEPTH_MAX);
    call->lists.trusted = purpose == CHECK;
    read_request(call, request, purpose);
    *count = call->count;
    count->expanded = call->expanded;
    *expanded = call->expanded;
    end_call(call);
    return FINE;
}

/* Validates a request, and counts the spans that `mcpobs_otlp_decode` accepts and leaves out. */
EXPORT int mcpobs_otlp_check(const uint8_t *body, size_t size, Count *count, Place *place) {
    uint64_t expanded;
    return look_at(body, size, CHECK, count, &expanded, place);
}

/* Returns the bytes that the spans of a request repeat, without the limit. An upper bound: invalid spans count too. */
EXPORT int mcpobs_otlp_expanded(const uint8_t *body, size_t size, uint64_t *expanded, Place *place) {
    Count count;
    return look_at(body, size, MEASURE, &count, expanded, place);
}

/* Returns the number of values in a JSON text, counted as containers and commas outside of strings; `most` + 1 if there
   are more. The text need not be valid. `json_request.values` applies the limit in the same way. */
EXPORT uint64_t mcpobs_otlp_json_values(const uint8_t *text, size_t size, uint64_t most) {
    uint64_t values = 0;
    bool in_string = false;
    for (size_t i = 0; i < size && values <= most; i++) {
        uint8_t c = text[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else {
            values += c == ',' || c == '{' || c == '[';
        }
    }
    return values;
}

/* Returns the number of spans in a request, valid or not. Validates only the bytes that it reads. */
static int64_t count_spans(Run *run, Wire request) {
    int64_t spans = 0;
    Field resource_spans, scope_spans, span;
    while (next(run, &request, &resource_spans, DEPTH_MAX)) {
        if (resource_spans.tag != TAG(1, LEN)) continue;
        for (Wire in = inside(&resource_spans); next(run, &in, &scope_spans, DEPTH_MAX - 1);) {
            if (scope_spans.tag != TAG(2, LEN) && scope_spans.tag != TAG(1000, LEN)) continue;
            for (Wire at = inside(&scope_spans); next(run, &at, &span, DEPTH_MAX - 2);)
                spans += span.tag == TAG(2, LEN);
        }
    }
    return spans;
}

EXPORT int mcpobs_otlp_decode(const uint8_t *const *bodies, const size_t *sizes, size_t count, Batch **out,
                              Place *place) {
    Call *call = calloc(1, sizeof *call); /* on the heap, as in `look_at` */
    volatile size_t at = 0;
    if (call == NULL) return NO_MEMORY;
    Run *run = &call->lists.run;
    if (setjmp(run->out)) {
        Code code = failed(run, at < count ? bodies[at] : NULL, at, place);
        end_call(call);
        return code;
    }
    call->batch = allocated(run, calloc(1, sizeof *call->batch));
    atomic_init(&call->batch->references, 1);
    call->batch->schema = &tables.schema;
    for (at = 0; at < count; at++)
        call->spans_left += count_spans(run, request_of(run, bodies[at], sizes[at]));
    for (at = 0; at < count; at++) read_request(call, request_of(run, bodies[at], sizes[at]), DECODE);
    if (call->chunk != NULL) end_chunk(call);
    *out = call->batch;
    call->batch = NULL;
    end_call(call);
    return FINE;
}

EXPORT int64_t mcpobs_otlp_rows(const Batch *batch) {
    int64_t rows = 0;
    for (size_t i = 0; i < batch->count; i++) rows += batch->chunks[i]->rows;
    return rows;
}

EXPORT void mcpobs_otlp_release(Batch *batch) { release_batch(batch); }

/* Returns a new stream of the whole batch, for a capsule; NULL if there is no memory. */
EXPORT struct ArrowArrayStream *mcpobs_otlp_stream(Batch *batch) { return new_stream(batch); }

EXPORT void mcpobs_otlp_end_capsule(void *capsule) {
    struct ArrowArrayStream *stream = tables.capsule_pointer(capsule, "arrow_array_stream");
    if (stream == NULL) return;
    if (stream->release != NULL) stream->release(stream); /* no consumer took it */
    free(stream);
}

/* Called once, before all others. The names stay in use and must not be freed. Returns 0, or a mismatch. */
EXPORT int mcpobs_otlp_prepare(size_t n_columns, const char *const *names, const uint8_t *types, size_t n_promoted,
                               const char *const *keys, const uint32_t *columns, const uint8_t *kept, uint64_t secret,
                               const uint64_t *powers_of_ten, uint64_t expanded_max,
                                void *(*capsule_pointer)(void *, const char *)) {
    static const Type stored[] = {
        [AS_TEXT] = TEXT, [AS_JSON] = TEXT, [AS_BIGINT] = BIGINT, [AS_SMALLINT] = SMALLINT, [AS_BOOLEAN] = BOOLEAN};
    if (tables.ready) return 1;
    if (n_columns < SPAN_COLUMNS || n_promoted > PROMOTED_SLOTS / 2) return 2;
    for (size_t i = 0; i < SPAN_COLUMNS; i++)
        if (strcmp(names[i], SPAN_NAMES[i]) != 0) return 3;
    tables.schema.columns = calloc(n_columns, sizeof *tables.schema.columns);
    tables.promoted = calloc(n_promoted + 1, sizeof *tables.promoted);
    if (tables.schema.columns == NULL || tables.promoted == NULL) return 4;
    tables.schema.count = n_columns;
    for (size_t i = 0; i < n_columns; i++) tables.schema.columns[i] = (ColumnSchema){names[i], stored[types[i]]};
    for (int i = 0; i < SHARED_COUNT; i++) tables.schema.columns[SHARED_COLUMNS[i]].type = DICTIONARY;
    seed = secret;
    memcpy(powers, powers_of_ten, sizeof powers);
    tables.expanded_max = expanded_max;
    tables.capsule_pointer = capsule_pointer;
    for (size_t i = 0; i < n_promoted; i++) {
        bool ascii;
        size_t size = strlen(keys[i]);
        const uint8_t *key = (const uint8_t *)keys[i];
        uint64_t hash = hash_key(key, size, &ascii);
        size_t slot = hash % PROMOTED_SLOTS;
        while (tables.slots[slot] != 0) slot = (slot + 1) % PROMOTED_SLOTS;
        tables.slots[slot] = (uint16_t)(i + 1);
        tables.promoted[i] =
            (Promoted){key, (uint32_t)size, columns[i], hash, (PromotedType)types[columns[i]], kept[i] != 0};
    }
    tables.ready = true;
    return 0;
}
