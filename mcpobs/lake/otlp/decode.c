/* OTLP trace requests (protobuf) as Arrow columns; `columns.py` says which, `plain.py` does the same in Python.

   Loaded by `native.py`; knows nothing of Python, so it runs without the interpreter's lock. Holds no state between
   calls but the tables of `mcpobs_otlp_prepare`, which are read only. Memory that one call needs is a small factor of
   its requests, its time linear: a list's keys are kept in a hash table with a secret seed, a resource's text is made
   once for all its spans, and what is nested is read at most twice, once to check it and once to write it. */

#include "decode_arrow.h"
#include "decode_text.h"
#include "decode_wire.h"

#define EXPORT __attribute__((visibility("default")))

#define ROWS_MAX (INT64_C(1) << 20)       /* of a chunk */
#define CHUNK_BYTES ((size_t)64 << 20)    /* of the spans in a chunk: their text stays below what 32 bits can count */
#define SHARED_BYTES ((size_t)1 << 30)    /* of the text in a chunk that spans share */
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
    RESOURCE_ATTRIBUTES,
    ATTRIBUTES,
    EVENTS,
    LINKS,
    DROPPED,
    SPAN_COLUMNS
};

static const char *const SPAN_NAMES[SPAN_COLUMNS] = {
    "trace_id", "span_id",        "parent_span_id", "trace_state", "flags",        "name",     "kind",       "start_unix_nano", "end_unix_nano",
    "status",   "status_message", "scope_name",     "scope",       "service_name", "resource", "attributes", "events",          "links",
    "dropped"};

/* -- what Python tells us once ------------------------------------------------------------------------------- */

typedef enum { AS_TEXT, AS_JSON, AS_BIGINT, AS_SMALLINT, AS_BOOLEAN } PromotedType; /* in the order of native._TYPES */

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
    uint64_t seed;
    Powers powers;
    void *(*capsule_pointer)(void *, const char *);
} tables;

/* -- keys ---------------------------------------------------------------------------------------------------- */

static inline uint64_t fold(uint64_t a, uint64_t b) {
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Seeded, so that no sender can choose keys that collide. `*ascii` is false where a byte is above 0x7f. */
static inline uint64_t hash_key(const uint8_t *s, size_t n, bool *ascii) {
    const uint64_t odd = UINT64_C(0x9e3779b97f4a7c15);
    uint64_t hash = tables.seed ^ n, seen = 0, word;
    size_t i = 0;
    for (; i + 8 < n; i += 8) {
        word = load64(s + i);
        seen |= word;
        hash = fold(hash ^ word, odd) ^ tables.seed;
    }
    word = n >= 8 ? load64(s + n - 8) : n == 0 ? 0 : load_rest(s, n);
    *ascii = ((seen | word) & HIGH_BITS) == 0;
    return fold(hash ^ word, odd ^ tables.seed << 1);
}

static inline bool same_bytes(const uint8_t *a, const uint8_t *b, size_t n) {
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        if (load64(a + i) != load64(b + i)) return false;
    return i == n || load_rest(a, n) == load_rest(b, n);
}

static const Promoted *find_promoted(const uint8_t *key, uint32_t size, uint64_t hash) {
    for (size_t i = hash % PROMOTED_SLOTS; tables.slots[i] != 0; i = (i + 1) % PROMOTED_SLOTS) {
        const Promoted *found = &tables.promoted[tables.slots[i] - 1];
        if (found->hash == hash && found->key_size == size && same_bytes(found->key, key, size)) return found;
    }
    return NULL;
}

/* -- one call ------------------------------------------------------------------------------------------------ */

/* Memory that lives until the attributes which need it are written. */
typedef struct Block {
    struct Block *older;
    size_t used, size;
    _Alignas(16) uint8_t data[];
} Block;

/* A further piece of an array or a map whose field came more than once: protobuf merges them. */
typedef struct Piece {
    struct Piece *next;
    const uint8_t *data;
    uint32_t size;
} Piece;

typedef enum { NONE, STRING, BOOL, INT, DOUBLE, ARRAY, MAP, BYTES } Kind;

typedef struct {
    Kind kind;
    uint32_t size;
    union {
        const uint8_t *data;
        uint64_t bits;
    };
    Piece *last; /* of a ring: its `next` is the first further piece */
} Value;

typedef struct {
    const uint8_t *key;
    uint32_t key_size;
    uint64_t hash;
    Value value;
} Entry;

/* What all spans of a group share, made once. `entry` is its number in the chunk's dictionary; -1: not there yet. */
typedef struct {
    Buffer text;
    bool is_null;
    int32_t entry;
} Shared;

enum { SHARED_SERVICE, SHARED_RESOURCE, SHARED_SCOPE_NAME, SHARED_SCOPE, SHARED_COUNT };

static const uint8_t SHARED_COLUMNS[SHARED_COUNT] = {SERVICE_NAME, RESOURCE_ATTRIBUTES, SCOPE_NAME, SCOPE_FACTS};

typedef struct {
    Run run;
    bool trusted; /* what is read now was validated */
    Batch *batch;
    Chunk *chunk;
    int64_t spans_left;
    size_t chunk_bytes, shared_bytes;
    Block *blocks;
    Entry *entries; /* a stack: lists that are being written, the innermost on top */
    size_t n_entries, entries_max;
    uint32_t *slots; /* hash table of the list that is being read: number in it + 1 */
    size_t slots_max, mask;
    Shared shared[SHARED_COUNT];
    const uint8_t *resource_schema_url;
    uint32_t resource_schema_url_size;
    Buffer scratch;
} Call;

static void *take(Call *call, size_t size) {
    size = (size + 15) & ~(size_t)15;
    if (call->blocks == NULL || call->blocks->size - call->blocks->used < size) {
        size_t room = size > 65536 ? size : 65536;
        Block *block = allocated(&call->run, malloc(sizeof(Block) + room));
        *block = (Block){.older = call->blocks, .size = room};
        call->blocks = block;
    }
    void *memory = call->blocks->data + call->blocks->used;
    call->blocks->used += size;
    return memory;
}

static void give_back(Call *call) {
    while (call->blocks != NULL) {
        Block *older = call->blocks->older;
        free(call->blocks);
        call->blocks = older;
    }
}

static const uint8_t NO_BYTES[1]; /* where what is empty points */

/* -- attribute lists: reading -------------------------------------------------------------------------------- */

#define SLOTS_MIN 64

static void grow_slots(Call *call, size_t slots) {
    if (slots > call->slots_max) {
        free(call->slots);
        call->slots_max = 0;
        call->slots = allocated(&call->run, malloc(slots * sizeof *call->slots));
        call->slots_max = slots;
    }
    memset(call->slots, 0, slots * sizeof *call->slots);
    call->mask = slots - 1;
}

/* Begins a list on top of the stack and returns where it begins. Only the topmost may be added to. */
static inline size_t begin_list(Call *call) {
    grow_slots(call, SLOTS_MIN);
    return call->n_entries;
}

__attribute__((noinline)) static void rehash(Call *call, size_t base) {
    grow_slots(call, (call->mask + 1) * 4);
    for (size_t n = base; n < call->n_entries; n++) {
        size_t i = call->entries[n].hash & call->mask;
        while (call->slots[i] != 0) i = (i + 1) & call->mask;
        call->slots[i] = (uint32_t)(n - base + 1);
    }
}

__attribute__((noinline)) static void grow_entries(Call *call) {
    size_t wanted = call->entries_max == 0 ? 64 : call->entries_max * 2;
    call->entries = allocated(&call->run, realloc(call->entries, wanted * sizeof *call->entries));
    call->entries_max = wanted;
}

/* Adds the entry on top of the stack, which was filled in place. Of a key that comes twice the last value counts, in the
   first one's place. */
static inline void add_to_list(Call *call, size_t base) {
    const Entry *entry = &call->entries[call->n_entries];
    size_t i = entry->hash & call->mask;
    for (; call->slots[i] != 0; i = (i + 1) & call->mask) {
        Entry *other = &call->entries[base + call->slots[i] - 1];
        if (other->hash == entry->hash && other->key_size == entry->key_size &&
            same_bytes(other->key, entry->key, entry->key_size)) {
            other->value = entry->value;
            return;
        }
    }
    size_t count = ++call->n_entries - base;
    call->slots[i] = (uint32_t)count;
    if (count * 2 > call->mask) rehash(call, base);
}

static inline void set_data(Value *value, Kind kind, const Field *field) {
    value->kind = kind;
    value->size = field->size;
    value->data = field->data;
}

static inline void set_bits(Value *value, Kind kind, uint64_t bits) {
    value->kind = kind;
    value->bits = bits;
}

static void read_container(Call *call, Value *value, Kind kind, const Field *field, int depth) {
    if (!call->trusted) validate(&call->run, kind == ARRAY ? ARRAY_VALUE : KEY_VALUE_LIST, inside(field), depth);
    if (value->kind != kind) {
        set_data(value, kind, field);
        value->last = NULL;
    } else if (field->size != 0) {
        Piece *piece = take(call, sizeof *piece);
        *piece = (Piece){piece, field->data, field->size};
        if (value->last != NULL) {
            piece->next = value->last->next;
            value->last->next = piece;
        }
        value->last = piece;
    }
}

/* Adds what an AnyValue says to `value`; the last of its members counts. */
static inline void read_value(Call *call, Value *value, Wire w, int depth) {
    Field field;
    if (depth < 0) fail(&call->run, TOO_DEEP, w.at);
    while (next(&call->run, &w, &field, depth)) {
        switch (field.tag) {
            case TAG(1, LEN): set_data(value, STRING, &field); break;
            case TAG(2, VARINT): set_bits(value, BOOL, field.bits != 0); break;
            case TAG(3, VARINT): set_bits(value, INT, field.bits); break;
            case TAG(4, I64): set_bits(value, DOUBLE, field.bits); break;
            case TAG(5, LEN): read_container(call, value, ARRAY, &field, depth - 1); break;
            case TAG(6, LEN): read_container(call, value, MAP, &field, depth - 1); break;
            case TAG(7, LEN): set_data(value, BYTES, &field); break;
        }
    }
}

/* A key that is no UTF-8 is compared as what it is written as. */
__attribute__((noinline)) static void mend_key(Call *call, Entry *entry) {
    bool ascii;
    if (is_utf8(entry->key, entry->key_size)) return;
    call->scratch.size = 0;
    put_text(&call->run, &call->scratch, entry->key, entry->key_size);
    uint8_t *key = take(call, call->scratch.size);
    memcpy(key, call->scratch.data, call->scratch.size);
    entry->key = key;
    entry->key_size = (uint32_t)call->scratch.size;
    entry->hash = hash_key(key, entry->key_size, &ascii);
}

static inline bool is_usual(Wire w) {
    size_t size = (size_t)(w.end - w.at), key = size < 4 ? 128 : w.at[1];
    return key < 128 && key + 4 <= size && w.at[0] == TAG(1, LEN) && w.at[key + 2] == TAG(2, LEN) &&
           w.at[key + 3] < 128 && w.at[key + 3] + key + 4 == size;
}

static inline void read_attribute(Call *call, size_t base, Wire w, int depth) {
    Field field;
    bool ascii;
    if (depth < 0) fail(&call->run, TOO_DEEP, w.at);
    if (call->n_entries == call->entries_max) grow_entries(call);
    Entry *entry = &call->entries[call->n_entries];
    entry->key = NO_BYTES;
    entry->key_size = 0;
    entry->value.kind = NONE;
    if (is_usual(w)) { /* key and value in their order, both shorter than 128 bytes: a third of the time */
        entry->key = w.at + 2;
        entry->key_size = w.at[1];
        read_value(call, &entry->value, (Wire){w.at + w.at[1] + 4, w.end}, depth - 1);
        w.at = w.end;
    }
    while (next(&call->run, &w, &field, depth)) {
        switch (field.tag) {
            case TAG(1, LEN):
                entry->key = field.data;
                entry->key_size = field.size;
                break;
            case TAG(2, LEN): read_value(call, &entry->value, inside(&field), depth - 1); break;
        }
    }
    entry->hash = hash_key(entry->key, entry->key_size, &ascii);
    if (!ascii) mend_key(call, entry);
    add_to_list(call, base);
}

/* -- attribute lists: writing -------------------------------------------------------------------------------- */

static void put_value(Call *call, Buffer *b, const Value *value);

static inline void put_member(Call *call, Buffer *b, bool first, const Entry *entry) {
    Value value = entry->value; /* the stack of entries may move */
    put_byte(&call->run, b, first ? '{' : ',');
    put_string(&call->run, b, entry->key, entry->key_size);
    put_byte(&call->run, b, ':');
    put_value(call, b, &value);
}

/* Writes the topmost list and takes it off the stack. */
static void put_list(Call *call, Buffer *b, size_t base) {
    size_t end = call->n_entries;
    for (size_t i = base; i < end; i++) put_member(call, b, i == base, &call->entries[i]);
    if (end == base) put_byte(&call->run, b, '{');
    put_byte(&call->run, b, '}');
    call->n_entries = base;
}

static bool is_marker(const Entry *entry) {
#define IS(literal) (entry->key_size == sizeof(literal) - 1 && memcmp(entry->key, literal, sizeof(literal) - 1) == 0)
    return IS("doubleValue") || IS("bytesValue") || IS("kvlistValue");
#undef IS
}

/* The pieces of an array or a map, one after the other. */
#define EACH_PIECE(value, w)                                                                                  \
    for (Piece whole = {(value)->last == NULL ? NULL : (value)->last->next, (value)->data, (value)->size},    \
               *piece = &whole;                                                                               \
         piece != NULL && ((w) = (Wire){piece->data, piece->data + piece->size}, true);                       \
         piece = piece == (value)->last ? NULL : piece->next)

static void put_array(Call *call, Buffer *b, const Value *array) {
    Field field;
    Wire w;
    bool first = true;
    put_byte(&call->run, b, '[');
    EACH_PIECE(array, w) {
        while (next(&call->run, &w, &field, DEPTH_MAX)) {
            if (field.tag != TAG(1, LEN)) continue;
            Value value = {.kind = NONE};
            read_value(call, &value, inside(&field), DEPTH_MAX);
            if (!first) put_byte(&call->run, b, ',');
            first = false;
            put_value(call, b, &value);
        }
    }
    put_byte(&call->run, b, ']');
}

static void put_map(Call *call, Buffer *b, const Value *map) {
    Field field;
    Wire w;
    size_t base = begin_list(call);
    EACH_PIECE(map, w) {
        while (next(&call->run, &w, &field, DEPTH_MAX))
            if (field.tag == TAG(1, LEN)) read_attribute(call, base, inside(&field), DEPTH_MAX);
    }
    bool wrapped = call->n_entries - base == 1 && is_marker(&call->entries[base]);
    if (wrapped) put(&call->run, b, "{\"kvlistValue\":");
    put_list(call, b, base);
    if (wrapped) put_byte(&call->run, b, '}');
}

static void put_container(Call *call, Buffer *b, const Value *value) {
    bool trusted = call->trusted;
    call->trusted = true; /* read_container has validated it */
    if (value->kind == ARRAY)
        put_array(call, b, value);
    else
        put_map(call, b, value);
    call->trusted = trusted;
}

static void put_double_value(Call *call, Buffer *b, uint64_t bits) {
    if ((bits >> 52 & 0x7ff) != 0x7ff)
        put_double(&call->run, b, &tables.powers, bits);
    else if (bits << 12 != 0)
        put(&call->run, b, "{\"doubleValue\":\"NaN\"}");
    else if (bits >> 63)
        put(&call->run, b, "{\"doubleValue\":\"-Infinity\"}");
    else
        put(&call->run, b, "{\"doubleValue\":\"Infinity\"}");
}

static void put_value(Call *call, Buffer *b, const Value *value) {
    Run *run = &call->run;
    switch (value->kind) {
        case NONE: put(run, b, "null"); break;
        case STRING: put_string(run, b, value->data, value->size); break;
        case BOOL:
            if (value->bits)
                put(run, b, "true");
            else
                put(run, b, "false");
            break;
        case INT: put_signed(run, b, (int64_t)value->bits); break;
        case DOUBLE: put_double_value(call, b, value->bits); break;
        case ARRAY:
        case MAP: put_container(call, b, value); break;
        case BYTES:
            put(run, b, "{\"bytesValue\":\"");
            put_base64(run, b, value->data, value->size);
            put(run, b, "\"}");
            break;
    }
}

/* -- JSON objects with members that may be missing ----------------------------------------------------------- */

static void put_key(Run *run, Buffer *b, size_t begin, const char *key) {
    put_byte(run, b, b->size == begin ? '{' : ',');
    put_byte(run, b, '"');
    put_bytes(run, b, key, strlen(key));
    put(run, b, "\":");
}

static void put_text_member(Run *run, Buffer *b, size_t begin, const char *key, const uint8_t *data, uint32_t size) {
    if (size == 0) return;
    put_key(run, b, begin, key);
    put_string(run, b, data, size);
}

static void put_number_member(Run *run, Buffer *b, size_t begin, const char *key, uint64_t value) {
    if (value == 0) return;
    put_key(run, b, begin, key);
    put_unsigned(run, b, value);
}

static void put_list_member(Call *call, Buffer *b, size_t begin, const char *key, size_t base) {
    if (call->n_entries == base) return;
    put_key(&call->run, b, begin, key);
    put_list(call, b, base);
}

static void put_hex_member(Run *run, Buffer *b, size_t begin, const char *key, const uint8_t *id, uint32_t size) {
    put_key(run, b, begin, key);
    put_byte(run, b, '"');
    put_hex(run, b, id, size);
    put_byte(run, b, '"');
}

/* Ends the object; false where it has no member, and then nothing was written. */
static bool end_object(Run *run, Buffer *b, size_t begin) {
    if (b->size == begin) return false;
    put_byte(run, b, '}');
    return true;
}

/* -- events and links ---------------------------------------------------------------------------------------- */

enum { SPAN_DEPTH = DEPTH_MAX - 3 }; /* levels that may follow in a span */

static void put_event(Call *call, Buffer *b, Wire w) {
    Field field, name = {.data = NO_BYTES};
    uint64_t time = 0;
    uint32_t dropped = 0;
    size_t base = begin_list(call), begin = b->size;
    while (next(&call->run, &w, &field, SPAN_DEPTH - 1)) {
        switch (field.tag) {
            case TAG(1, I64): time = field.bits; break;
            case TAG(2, LEN): name = field; break;
            case TAG(3, LEN): read_attribute(call, base, inside(&field), SPAN_DEPTH - 2); break;
            case TAG(4, VARINT): dropped = (uint32_t)field.bits; break;
        }
    }
    put_text_member(&call->run, b, begin, "name", name.data, name.size);
    put_number_member(&call->run, b, begin, "time_unix_nano", time);
    put_list_member(call, b, begin, "attributes", base);
    put_number_member(&call->run, b, begin, "dropped_attributes_count", dropped);
    if (!end_object(&call->run, b, begin)) put(&call->run, b, "{}");
}

static void put_link(Call *call, Buffer *b, Wire w) {
    Field field, trace_id = {0}, span_id = {0}, state = {.data = NO_BYTES};
    uint32_t dropped = 0, flags = 0;
    size_t base = begin_list(call), begin = b->size;
    while (next(&call->run, &w, &field, SPAN_DEPTH - 1)) {
        switch (field.tag) {
            case TAG(1, LEN): trace_id = field; break;
            case TAG(2, LEN): span_id = field; break;
            case TAG(3, LEN): state = field; break;
            case TAG(4, LEN): read_attribute(call, base, inside(&field), SPAN_DEPTH - 2); break;
            case TAG(5, VARINT): dropped = (uint32_t)field.bits; break;
            case TAG(6, I32): flags = (uint32_t)field.bits; break;
        }
    }
    if (is_trace_id(trace_id.data, trace_id.size))
        put_hex_member(&call->run, b, begin, "trace_id", trace_id.data, trace_id.size);
    if (is_span_id(span_id.data, span_id.size))
        put_hex_member(&call->run, b, begin, "span_id", span_id.data, span_id.size);
    put_text_member(&call->run, b, begin, "trace_state", state.data, state.size);
    put_list_member(call, b, begin, "attributes", base);
    put_number_member(&call->run, b, begin, "dropped_attributes_count", dropped);
    put_number_member(&call->run, b, begin, "flags", flags);
    if (!end_object(&call->run, b, begin)) put(&call->run, b, "{}");
}

static void set_events(Call *call, size_t column, Wire span, uint32_t tag, void (*put_one)(Call *, Buffer *, Wire)) {
    Field field;
    Buffer *b = set_text(&call->run, call->chunk, column);
    bool first = true;
    while (next(&call->run, &span, &field, SPAN_DEPTH)) {
        if (field.tag != tag) continue;
        put_byte(&call->run, b, first ? '[' : ',');
        first = false;
        put_one(call, b, inside(&field));
    }
    put_byte(&call->run, b, ']');
}

/* -- spans --------------------------------------------------------------------------------------------------- */

/* Gives the attribute its column where its value fits; true where it does not stay among the attributes. */
static bool promote(Call *call, const Promoted *to, const Value *value) {
    Run *run = &call->run;
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
                put_value(call, set_text(run, chunk, to->column), value);
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

/* Promotes or writes the topmost list, that of the span, and takes it off the stack. */
static void set_attributes(Call *call, size_t base) {
    Run *run = &call->run;
    Buffer *b = &call->chunk->columns[ATTRIBUTES].text;
    bool any = false;
    for (size_t i = base, end = call->n_entries; i < end; i++) {
        const Entry *entry = &call->entries[i];
        const Promoted *to = find_promoted(entry->key, entry->key_size, entry->hash);
        Value value = entry->value; /* the stack of entries may move */
        if (to != NULL && promote(call, to, &value)) continue;
        put_member(call, b, !any, &call->entries[i]);
        any = true;
    }
    call->n_entries = base;
    if (any) put_byte(run, set_text(run, call->chunk, ATTRIBUTES), '}');
}

static void end_chunk(Call *call) {
    finish_chunk(&call->run, call->chunk);
    Batch *batch = call->batch;
    if (batch->count == batch->capacity) {
        size_t capacity = batch->capacity == 0 ? 4 : batch->capacity * 2;
        batch->chunks = allocated(&call->run, realloc(batch->chunks, capacity * sizeof *batch->chunks));
        batch->capacity = capacity;
    }
    batch->chunks[batch->count++] = call->chunk;
    call->chunk = NULL;
}

static void begin_chunk(Call *call) {
    int64_t rows = call->spans_left < ROWS_MAX ? call->spans_left : ROWS_MAX;
    call->chunk = new_chunk(&call->run, call->batch->schema, rows);
    call->chunk_bytes = call->shared_bytes = 0;
    for (int i = 0; i < SHARED_COUNT; i++) call->shared[i].entry = -1;
}

/* Makes room for a span of `size` bytes, and sees that what it shares with others is in the chunk. */
static void begin_row(Call *call, size_t size) {
    size_t shared = 0;
    for (int i = 0; i < SHARED_COUNT; i++)
        if (call->shared[i].entry < 0) shared += call->shared[i].text.size;
    if (call->chunk != NULL &&
        (call->chunk->rows == call->chunk->rows_max || call->chunk_bytes + size > CHUNK_BYTES ||
         (shared != 0 && call->shared_bytes + shared > SHARED_BYTES)))
        end_chunk(call);
    if (call->chunk == NULL) begin_chunk(call);
    for (int i = 0; i < SHARED_COUNT; i++) {
        Shared *one = &call->shared[i];
        if (one->is_null) continue;
        if (one->entry < 0) {
            one->entry = add_entry(&call->run, call->chunk, SHARED_COLUMNS[i], &one->text);
            call->shared_bytes += one->text.size;
        }
        set_entry(&call->run, call->chunk, SHARED_COLUMNS[i], one->entry);
    }
    call->chunk_bytes += size;
}

static void set_text_if_any(Call *call, size_t column, const Field *field) {
    if (field->size == 0) return;
    put_text(&call->run, set_text(&call->run, call->chunk, column), field->data, field->size);
}

static int16_t enum_value(uint64_t bits) {
    int32_t value = (int32_t)(uint32_t)bits; /* protobuf's enums have 32 bits */
    return value == (int16_t)value ? (int16_t)value : 0;
}

static void read_span(Call *call, Wire span) {
    Run *run = &call->run;
    Wire w = span;
    Field field, parent = {0}, state = {0}, name = {0}, message = {0};
    Identity id = {0};
    uint64_t end = 0, kind = 0, code = 0, flags = 0;
    uint32_t dropped_attributes = 0, dropped_events = 0, dropped_links = 0;
    bool events = false, links = false;
    size_t base = begin_list(call);
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
            case TAG(9, LEN): read_attribute(call, base, inside(&field), SPAN_DEPTH - 1); break;
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
    if (!is_taken(&id)) {
        validate(run, SPAN, span, SPAN_DEPTH);
        call->n_entries = base;
        call->spans_left--;
        give_back(call);
        return;
    }
    begin_row(call, (size_t)(span.end - span.at));
    Chunk *chunk = call->chunk;
    put_hex(run, set_text(run, chunk, TRACE_ID), id.trace_id, 16);
    put_hex(run, set_text(run, chunk, SPAN_ID), id.span_id, 8);
    if (is_span_id(parent.data, parent.size)) put_hex(run, set_text(run, chunk, PARENT_SPAN_ID), parent.data, 8);
    set_text_if_any(call, TRACE_STATE, &state);
    set_bigint(run, chunk, FLAGS, (int64_t)flags);
    put_text(run, set_text(run, chunk, NAME), name.data, name.size);
    set_smallint(run, chunk, KIND, enum_value(kind));
    set_bigint(run, chunk, START, (int64_t)id.start);
    if (end <= (uint64_t)INT64_MAX) set_bigint(run, chunk, END, (int64_t)end);
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
    give_back(call);
}

/* -- groups of spans ----------------------------------------------------------------------------------------- */

static Buffer *begin_shared(Call *call, int which) {
    Shared *shared = &call->shared[which];
    shared->text.size = 0;
    shared->entry = -1;
    shared->is_null = true;
    return &shared->text;
}

static void read_scope_spans(Call *call, Wire group) {
    Run *run = &call->run;
    Wire w = group;
    Field field, member, name = {0}, version = {0}, schema_url = {0};
    uint32_t dropped = 0;
    size_t base = begin_list(call);
    while (next(run, &w, &field, DEPTH_MAX - 2)) {
        if (field.tag == TAG(3, LEN)) schema_url = field;
        if (field.tag != TAG(1, LEN)) continue;
        Wire scope = inside(&field);
        while (next(run, &scope, &member, DEPTH_MAX - 3)) {
            switch (member.tag) {
                case TAG(1, LEN): name = member; break;
                case TAG(2, LEN): version = member; break;
                case TAG(3, LEN): read_attribute(call, base, inside(&member), DEPTH_MAX - 4); break;
                case TAG(4, VARINT): dropped = (uint32_t)member.bits; break;
            }
        }
    }
    Buffer *b = begin_shared(call, SHARED_SCOPE_NAME);
    put_text(run, b, name.data, name.size);
    call->shared[SHARED_SCOPE_NAME].is_null = b->size == 0;
    b = begin_shared(call, SHARED_SCOPE);
    put_text_member(run, b, 0, "version", version.data, version.size);
    put_list_member(call, b, 0, "attributes", base);
    put_number_member(run, b, 0, "dropped_attributes_count", dropped);
    put_text_member(run, b, 0, "schema_url", schema_url.data, schema_url.size);
    put_text_member(run, b, 0, "resource_schema_url", call->resource_schema_url, call->resource_schema_url_size);
    call->shared[SHARED_SCOPE].is_null = !end_object(run, b, 0);
    give_back(call);
    while (next(run, &group, &field, DEPTH_MAX - 2))
        if (field.tag == TAG(2, LEN)) read_span(call, inside(&field));
}

static void read_resource_spans(Call *call, Wire group) {
    static const char service_name[] = "service.name";
    Run *run = &call->run;
    Wire w = group;
    Field field, member;
    size_t base = begin_list(call);
    call->resource_schema_url_size = 0;
    while (next(run, &w, &field, DEPTH_MAX - 1)) {
        if (field.tag == TAG(3, LEN)) {
            call->resource_schema_url = field.data;
            call->resource_schema_url_size = field.size;
        }
        if (field.tag != TAG(1, LEN)) continue;
        Wire resource = inside(&field);
        while (next(run, &resource, &member, DEPTH_MAX - 2))
            if (member.tag == TAG(1, LEN)) read_attribute(call, base, inside(&member), DEPTH_MAX - 3);
    }
    begin_shared(call, SHARED_SERVICE);
    Buffer *b = begin_shared(call, SHARED_RESOURCE);
    for (size_t i = base, end = call->n_entries; i < end; i++) {
        const Entry *entry = &call->entries[i];
        if (entry->value.kind == STRING && entry->key_size == sizeof service_name - 1 &&
            memcmp(entry->key, service_name, sizeof service_name - 1) == 0) {
            put_text(run, &call->shared[SHARED_SERVICE].text, entry->value.data, entry->value.size);
            call->shared[SHARED_SERVICE].is_null = false;
            continue;
        }
        put_member(call, b, b->size == 0, entry);
    }
    call->n_entries = base;
    call->shared[SHARED_RESOURCE].is_null = !end_object(run, b, 0);
    give_back(call);
    for (Wire scopes = group; next(run, &scopes, &field, DEPTH_MAX - 1);)
        if (field.tag == TAG(2, LEN)) read_scope_spans(call, inside(&field));
    for (Wire scopes = group; next(run, &scopes, &field, DEPTH_MAX - 1);)
        if (field.tag == TAG(1000, LEN)) read_scope_spans(call, inside(&field));
}

/* -- the doors ----------------------------------------------------------------------------------------------- */

typedef struct {
    uint64_t spans, rejected;
} Count;

/* Counts the spans; validates what it passes and, with `deeply`, all of it. */
static Count count_spans(Run *run, Wire request, bool deeply) {
    Count count = {0};
    Field resource_spans, scope_spans, span, field;
    if (deeply) validate(run, REQUEST, request, DEPTH_MAX);
    while (next(run, &request, &resource_spans, DEPTH_MAX)) {
        if (resource_spans.tag != TAG(1, LEN)) continue;
        for (Wire in = inside(&resource_spans); next(run, &in, &scope_spans, DEPTH_MAX - 1);) {
            if (scope_spans.tag != TAG(2, LEN) && scope_spans.tag != TAG(1000, LEN)) continue;
            for (Wire at = inside(&scope_spans); next(run, &at, &span, DEPTH_MAX - 2);) {
                if (span.tag != TAG(2, LEN)) continue;
                count.spans++;
                if (!deeply) continue;
                Identity id = {0};
                for (Wire w = inside(&span); next(run, &w, &field, SPAN_DEPTH);) {
                    switch (field.tag) {
                        case TAG(1, LEN): id.trace_id = field.data, id.trace_id_size = field.size; break;
                        case TAG(2, LEN): id.span_id = field.data, id.span_id_size = field.size; break;
                        case TAG(7, I64): id.start = field.bits; break;
                    }
                }
                if (!is_taken(&id)) count.rejected++;
            }
        }
    }
    count.spans -= count.rejected;
    return count;
}

typedef struct {
    uint64_t request, byte; /* where it went wrong; byte is UINT64_MAX where that is not known */
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

EXPORT int mcpobs_otlp_check(const uint8_t *body, size_t size, uint64_t counts[2], Place *place) {
    Run run;
    if (setjmp(run.out)) return failed(&run, body, 0, place);
    Count count = count_spans(&run, request_of(&run, body, size), true);
    counts[0] = count.spans;
    counts[1] = count.rejected;
    return FINE;
}

static void end_call(Call *call) {
    give_back(call);
    release_chunk(call->chunk);
    release_batch(call->batch);
    for (int i = 0; i < SHARED_COUNT; i++) free(call->shared[i].text.data);
    free(call->entries);
    free(call->slots);
    free(call->scratch.data);
    free(call);
}

EXPORT int mcpobs_otlp_decode(const uint8_t *const *bodies, const size_t *sizes, size_t count, Batch **out,
                              Place *place) {
    Call *call = calloc(1, sizeof *call); /* on the heap: what longjmp leaves behind is defined there */
    volatile size_t at = 0;
    if (call == NULL) return NO_MEMORY;
    Run *run = &call->run;
    if (setjmp(run->out)) {
        Code code = failed(run, at < count ? bodies[at] : NULL, at, place);
        end_call(call);
        return code;
    }
    call->batch = allocated(run, calloc(1, sizeof *call->batch));
    atomic_init(&call->batch->references, 1);
    call->batch->schema = &tables.schema;
    for (at = 0; at < count; at++)
        call->spans_left += (int64_t)count_spans(run, request_of(run, bodies[at], sizes[at]), false).spans;
    for (at = 0; at < count; at++) {
        Field field;
        for (Wire w = request_of(run, bodies[at], sizes[at]); next(run, &w, &field, DEPTH_MAX);)
            if (field.tag == TAG(1, LEN)) read_resource_spans(call, inside(&field));
    }
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

/* A new stream of the whole batch, to be put into a capsule; NULL where there is no memory. */
EXPORT struct ArrowArrayStream *mcpobs_otlp_stream(Batch *batch) { return new_stream(batch); }

EXPORT void mcpobs_otlp_end_capsule(void *capsule) {
    struct ArrowArrayStream *stream = tables.capsule_pointer(capsule, "arrow_array_stream");
    if (stream == NULL) return;
    if (stream->release != NULL) stream->release(stream); /* nobody took it */
    free(stream);
}

/* Called once, before all others. The names stay in use and must not be freed. Returns 0, or what does not fit. */
EXPORT int mcpobs_otlp_prepare(size_t n_columns, const char *const *names, const uint8_t *types, size_t n_promoted,
                               const char *const *keys, const uint32_t *columns, const uint8_t *kept, uint64_t seed,
                               const uint64_t *powers, void *(*capsule_pointer)(void *, const char *)) {
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
    tables.seed = seed;
    memcpy(tables.powers, powers, sizeof tables.powers);
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
