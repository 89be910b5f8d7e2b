/* Reads AnyValue and lists of attributes, and writes them as JSON (in the form of columns.py).
   Knows no span.

   Nested values are read twice, once to check and once to write them. The keys of a list are kept in a hash table. */

#ifndef MCPOBS_VALUES_H
#define MCPOBS_VALUES_H

#include "wire.h"

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
    uint32_t known; /* set by the reader of the list; 0 at first */
    uint64_t hash;
    Value value;
} Entry;

/* State for reading and writing. */
typedef struct {
    Run run;
    bool trusted; /* the input is already validated */
    Block *blocks;
    Entry *entries; /* a stack: lists that are being written, the innermost on top */
    size_t n_entries, entries_max;
    uint32_t *slots; /* hash table of the list that is being read: number in it + 1 */
    size_t slots_max, mask;
    Buffer scratch;
} Lists;

static void *take(Lists *lists, size_t size) {
    size = (size + 15) & ~(size_t)15;
    if (lists->blocks == NULL || lists->blocks->size - lists->blocks->used < size) {
        size_t room = size > 65536 ? size : 65536;
        Block *block = allocated(&lists->run, malloc(sizeof(Block) + room));
        *block = (Block){.older = lists->blocks, .size = room};
        lists->blocks = block;
    }
    void *memory = lists->blocks->data + lists->blocks->used;
    lists->blocks->used += size;
    return memory;
}

static void give_back(Lists *lists) {
    while (lists->blocks != NULL) {
        Block *older = lists->blocks->older;
        free(lists->blocks);
        lists->blocks = older;
    }
}

static const uint8_t NO_BYTES[1]; /* target of empty pointers */

static uint64_t seed; /* of the hashes, and */
static Powers powers; /* of ten: set once, before all else */

/* -- keys ---------------------------------------------------------------------------------------------------- */

static inline uint64_t fold(uint64_t a, uint64_t b) {
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Seeded, so that no sender can choose keys that collide. `*ascii` is false if a byte is above 0x7f. */
static inline uint64_t hash_key(const uint8_t *s, size_t n, bool *ascii) {
    const uint64_t odd = UINT64_C(0x9e3779b97f4a7c15);
    uint64_t hash = seed ^ n, seen = 0, word;
    size_t i = 0;
    for (; i + 8 < n; i += 8) {
        word = load64(s + i);
        seen |= word;
        hash = fold(hash ^ word, odd) ^ seed;
    }
    word = n >= 8 ? load64(s + n - 8) : n == 0 ? 0 : load_rest(s, n);
    *ascii = ((seen | word) & HIGH_BITS) == 0;
    return fold(hash ^ word, odd ^ seed << 1);
}

static inline bool same_bytes(const uint8_t *a, const uint8_t *b, size_t n) {
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        if (load64(a + i) != load64(b + i)) return false;
    return i == n || load_rest(a, n) == load_rest(b, n);
}

/* -- attribute lists: reading -------------------------------------------------------------------------------- */

#define SLOTS_MIN 64

static void grow_slots(Lists *lists, size_t slots) {
    if (slots > lists->slots_max) {
        free(lists->slots);
        lists->slots_max = 0;
        lists->slots = allocated(&lists->run, malloc(slots * sizeof *lists->slots));
        lists->slots_max = slots;
    }
    memset(lists->slots, 0, slots * sizeof *lists->slots);
    lists->mask = slots - 1;
}

/* Begins a list on top of the stack and returns where it begins. Only the topmost may be added to. */
static inline size_t begin_list(Lists *lists) {
    grow_slots(lists, SLOTS_MIN);
    return lists->n_entries;
}

/* Puts all entries of the topmost list into the hash table, which then holds only this list. */
__attribute__((noinline)) static void tabulate(Lists *lists, size_t base, size_t slots) {
    while (slots < 2 * (lists->n_entries - base)) slots *= 2;
    grow_slots(lists, slots);
    for (size_t n = base; n < lists->n_entries; n++) {
        size_t i = lists->entries[n].hash & lists->mask;
        while (lists->slots[i] != 0) i = (i + 1) & lists->mask;
        lists->slots[i] = (uint32_t)(n - base + 1);
    }
}

__attribute__((noinline)) static void grow_entries(Lists *lists) {
    size_t wanted = lists->entries_max == 0 ? 64 : lists->entries_max * 2;
    lists->entries = allocated(&lists->run, realloc(lists->entries, wanted * sizeof *lists->entries));
    lists->entries_max = wanted;
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

static void read_container(Lists *lists, Value *value, Kind kind, const Field *field, int depth) {
    if (!lists->trusted) validate(&lists->run, kind == ARRAY ? ARRAY_VALUE : KEY_VALUE_LIST, inside(field), depth);
    if (value->kind != kind) {
        set_data(value, kind, field);
        value->last = NULL;
    } else if (field->size != 0) {
        Piece *piece = take(lists, sizeof *piece);
        *piece = (Piece){piece, field->data, field->size};
        if (value->last != NULL) {
            piece->next = value->last->next;
            value->last->next = piece;
        }
        value->last = piece;
    }
}

/* Stores an AnyValue in `value`; the last of its members counts. */
static inline void read_value(Lists *lists, Value *value, Wire w, int depth) {
    Field field;
    if (depth < 0) fail(&lists->run, TOO_DEEP, w.at);
    while (next(&lists->run, &w, &field, depth)) {
        switch (field.tag) {
            case TAG(1, LEN): set_data(value, STRING, &field); break;
            case TAG(2, VARINT): set_bits(value, BOOL, field.bits != 0); break;
            case TAG(3, VARINT): set_bits(value, INT, field.bits); break;
            case TAG(4, I64): set_bits(value, DOUBLE, field.bits); break;
            case TAG(5, LEN): read_container(lists, value, ARRAY, &field, depth - 1); break;
            case TAG(6, LEN): read_container(lists, value, MAP, &field, depth - 1); break;
            case TAG(7, LEN): set_data(value, BYTES, &field); break;
        }
    }
}

/* A key that is not UTF-8 is compared in its written form. */
__attribute__((noinline)) static void mend_key(Lists *lists, Entry *entry) {
    bool ascii;
    if (is_utf8(entry->key, entry->key_size)) return;
    lists->scratch.size = 0;
    put_text(&lists->run, &lists->scratch, entry->key, entry->key_size);
    uint8_t *key = take(lists, lists->scratch.size);
    memcpy(key, lists->scratch.data, lists->scratch.size);
    entry->key = key;
    entry->key_size = (uint32_t)lists->scratch.size;
    entry->hash = hash_key(key, entry->key_size, &ascii);
}

/* Adds the entry on top of the stack, which was filled in place. Of a repeated key the last value counts, in the
   first one's place. */
static inline void add_to_list(Lists *lists, size_t base) {
    Entry *entry = &lists->entries[lists->n_entries];
    bool ascii;
    entry->hash = hash_key(entry->key, entry->key_size, &ascii);
    if (!ascii) mend_key(lists, entry);
    size_t i = entry->hash & lists->mask;
    for (; lists->slots[i] != 0; i = (i + 1) & lists->mask) {
        Entry *other = &lists->entries[base + lists->slots[i] - 1];
        if (other->hash == entry->hash && other->key_size == entry->key_size &&
            same_bytes(other->key, entry->key, entry->key_size)) {
            other->value = entry->value;
            return;
        }
    }
    size_t count = ++lists->n_entries - base;
    lists->slots[i] = (uint32_t)count;
    if (count * 2 > lists->mask) tabulate(lists, base, (lists->mask + 1) * 4);
}

static inline bool is_usual(Wire w) {
    size_t size = (size_t)(w.end - w.at), key = size < 4 ? 128 : w.at[1];
    return key < 128 && key + 4 <= size && w.at[0] == TAG(1, LEN) && w.at[key + 2] == TAG(2, LEN) &&
           w.at[key + 3] < 128 && w.at[key + 3] + key + 4 == size;
}

/* Puts an attribute on top of the stack, but not into the list: `add_to_list` has to follow. */
static inline void read_entry(Lists *lists, Wire w, int depth) {
    Field field;
    if (depth < 0) fail(&lists->run, TOO_DEEP, w.at);
    if (lists->n_entries == lists->entries_max) grow_entries(lists);
    Entry *entry = &lists->entries[lists->n_entries];
    entry->key = NO_BYTES;
    entry->key_size = 0;
    entry->known = 0;
    entry->value.kind = NONE;
    if (is_usual(w)) { /* key and value in their order, both shorter than 128 bytes: a third of the time */
        entry->key = w.at + 2;
        entry->key_size = w.at[1];
        const uint8_t *value = w.at + w.at[1] + 4;
        size_t size = (size_t)(w.end - value);
        if (size >= 2 && value[0] == TAG(1, LEN) && value[1] == size - 2) {
            entry->value.kind = STRING;
            entry->value.size = (uint32_t)size - 2;
            entry->value.data = value + 2;
        } else {
            read_value(lists, &entry->value, (Wire){value, w.end}, depth - 1);
        }
        return;
    }
    while (next(&lists->run, &w, &field, depth)) {
        switch (field.tag) {
            case TAG(1, LEN):
                entry->key = field.data;
                entry->key_size = field.size;
                break;
            case TAG(2, LEN): read_value(lists, &entry->value, inside(&field), depth - 1); break;
        }
    }
}

static void read_attribute(Lists *lists, size_t base, Wire w, int depth) {
    read_entry(lists, w, depth);
    add_to_list(lists, base);
}

/* -- attribute lists: writing -------------------------------------------------------------------------------- */

static void put_value(Lists *lists, Buffer *b, const Value *value);

static inline void put_member(Lists *lists, Buffer *b, bool first, const Entry *entry) {
    Value value = entry->value; /* the stack of entries may move */
    put_byte(&lists->run, b, first ? '{' : ',');
    put_string(&lists->run, b, entry->key, entry->key_size);
    put_byte(&lists->run, b, ':');
    put_value(lists, b, &value);
}

/* Writes the topmost list and takes it off the stack. */
static void put_list(Lists *lists, Buffer *b, size_t base) {
    size_t end = lists->n_entries;
    for (size_t i = base; i < end; i++) put_member(lists, b, i == base, &lists->entries[i]);
    if (end == base) put_byte(&lists->run, b, '{');
    put_byte(&lists->run, b, '}');
    lists->n_entries = base;
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

static void put_array(Lists *lists, Buffer *b, const Value *array) {
    Field field;
    Wire w;
    bool first = true;
    put_byte(&lists->run, b, '[');
    EACH_PIECE(array, w) {
        while (next(&lists->run, &w, &field, DEPTH_MAX)) {
            if (field.tag != TAG(1, LEN)) continue;
            Value value = {.kind = NONE};
            read_value(lists, &value, inside(&field), DEPTH_MAX);
            if (!first) put_byte(&lists->run, b, ',');
            first = false;
            put_value(lists, b, &value);
        }
    }
    put_byte(&lists->run, b, ']');
}

static void put_map(Lists *lists, Buffer *b, const Value *map) {
    Field field;
    Wire w;
    size_t base = begin_list(lists);
    EACH_PIECE(map, w) {
        while (next(&lists->run, &w, &field, DEPTH_MAX))
            if (field.tag == TAG(1, LEN)) read_attribute(lists, base, inside(&field), DEPTH_MAX);
    }
    bool wrapped = lists->n_entries - base == 1 && is_marker(&lists->entries[base]);
    if (wrapped) put(&lists->run, b, "{\"kvlistValue\":");
    put_list(lists, b, base);
    if (wrapped) put_byte(&lists->run, b, '}');
}

static void put_container(Lists *lists, Buffer *b, const Value *value) {
    bool trusted = lists->trusted;
    lists->trusted = true; /* read_container has validated it */
    if (value->kind == ARRAY)
        put_array(lists, b, value);
    else
        put_map(lists, b, value);
    lists->trusted = trusted;
}

static void put_double_value(Lists *lists, Buffer *b, uint64_t bits) {
    if ((bits >> 52 & 0x7ff) != 0x7ff)
        put_double(&lists->run, b, &powers, bits);
    else if (bits << 12 != 0)
        put(&lists->run, b, "{\"doubleValue\":\"NaN\"}");
    else if (bits >> 63)
        put(&lists->run, b, "{\"doubleValue\":\"-Infinity\"}");
    else
        put(&lists->run, b, "{\"doubleValue\":\"Infinity\"}");
}

static void put_value(Lists *lists, Buffer *b, const Value *value) {
    Run *run = &lists->run;
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
        case DOUBLE: put_double_value(lists, b, value->bits); break;
        case ARRAY:
        case MAP: put_container(lists, b, value); break;
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

static void put_list_member(Lists *lists, Buffer *b, size_t begin, const char *key, size_t base) {
    if (lists->n_entries == base) return;
    put_key(&lists->run, b, begin, key);
    put_list(lists, b, base);
}

static void put_hex_member(Run *run, Buffer *b, size_t begin, const char *key, const uint8_t *id, uint32_t size) {
    put_key(run, b, begin, key);
    put_byte(run, b, '"');
    put_hex(run, b, id, size);
    put_byte(run, b, '"');
}

/* Ends the object; false if it has no member, and then nothing was written. */
static bool end_object(Run *run, Buffer *b, size_t begin) {
    if (b->size == begin) return false;
    put_byte(run, b, '}');
    return true;
}

#endif
