/* Finds the places of a text where a pattern can match: where all kinds of words that it needs stand within its span.

   One walk over an automaton of all words (Aho and Corasick's, built in Python by `anchors.py`). Allocates nothing,
   keeps nothing between calls, and takes time linear in the text.

   The symbols of a text are its letters and digits, and one for all bytes between two words: whoever puts a thousand
   blanks there moves them no further apart. The ends of the text are such symbols too. */

#include <stddef.h>
#include <stdint.h>

#define EXPORT __attribute__((visibility("default")))
#define NONE (INT64_MIN / 2)
#define STEP 16
#define NEIGHBOUR 150 /* symbols between two windows that cost less to read than another call of the expression */

typedef struct {
    const uint8_t *classes;   /* of the 256 bytes; 0 is in no word */
    const uint16_t *next;     /* state × class */
    uint32_t width;           /* number of classes */
    const uint32_t *ends;     /* state: where its sets begin in `sets`; one more closes the last */
    const uint16_t *sets;     /* that a word ending in the state belongs to */
    const uint32_t *users;    /* set: where its patterns begin in `patterns` */
    const uint16_t *patterns;
    const uint32_t *needs;    /* pattern: where its sets begin in `needed` */
    const uint16_t *needed;
    const uint32_t *spans;    /* pattern: symbols that a match and what is near it may take */
    uint32_t set_count, pattern_count;
} Table;

typedef struct {
    const Table *table;
    int64_t *last; /* set: the symbol at which a word of it ended */
    int64_t *open; /* pattern: first and last symbol of the window that may still grow */
    int64_t *out;
    size_t capacity, made;
} Walk;

static int fits(const Walk *walk, uint32_t pattern, int64_t oldest)
{
    const Table *table = walk->table;
    for (uint32_t i = table->needs[pattern]; i < table->needs[pattern + 1]; i++)
        if (walk->last[table->needed[i]] < oldest)
            return 0;
    return 1;
}

static int emit(Walk *walk, uint32_t pattern)
{
    if (walk->made + 3 > walk->capacity)
        return 0;
    walk->out[walk->made++] = pattern;
    walk->out[walk->made++] = walk->open[2 * pattern];
    walk->out[walk->made++] = walk->open[2 * pattern + 1];
    return 1;
}

static int found(Walk *walk, uint32_t set, int64_t symbol)
{
    const Table *table = walk->table;
    walk->last[set] = symbol;
    for (uint32_t i = table->users[set]; i < table->users[set + 1]; i++) {
        uint32_t pattern = table->patterns[i];
        int64_t span = table->spans[pattern], *window = &walk->open[2 * pattern];
        if (!fits(walk, pattern, symbol - span))
            continue;
        if (window[1] < symbol - span - NEIGHBOUR) {
            if (window[1] != NONE && !emit(walk, pattern))
                return 0;
            window[0] = symbol - span;
        }
        window[1] = symbol + span;
    }
    return 1;
}

/* Writes (pattern, start, end) of windows in bytes, by pattern in the order of the text, neighbouring ones as one.
   `places`, `last` and `open` are room for size / STEP + 2, set_count and 2 × pattern_count numbers. Returns how many numbers
   were written, or -1 if they do not fit. */
EXPORT int64_t mcpobs_anchors_windows(const Table *table, const uint8_t *text, size_t size, int64_t *places, int64_t *last,
                                      int64_t *open, int64_t *out, size_t capacity)
{
    Walk walk = {table, last, open, out, capacity, 0};
    uint32_t state = table->next[0];
    int64_t symbols = 0; /* places[n] is the byte at which symbol n * STEP begins */
    int between = 1;
    for (uint32_t set = 0; set < table->set_count; set++)
        last[set] = NONE;
    for (uint32_t pattern = 0; pattern < table->pattern_count; pattern++)
        open[2 * pattern + 1] = NONE;
    places[0] = 0;
    for (size_t at = 0; at <= size; at++) {
        uint8_t class = at < size ? table->classes[text[at]] : 0;
        if (class == 0 && between)
            continue;
        between = class == 0;
        if (++symbols % STEP == 0)
            places[symbols / STEP] = (int64_t)at;
        state = table->next[state * table->width + class];
        for (uint32_t i = table->ends[state]; i < table->ends[state + 1]; i++)
            if (!found(&walk, table->sets[i], symbols))
                return -1;
    }
    for (uint32_t pattern = 0; pattern < table->pattern_count; pattern++)
        if (open[2 * pattern + 1] != NONE && !emit(&walk, pattern))
            return -1;
    for (size_t i = 0; i < walk.made; i += 3) {
        int64_t start = out[i + 1] / STEP, end = out[i + 2] / STEP + 1; /* a STEP too much */
        out[i + 1] = out[i + 1] > 0 ? places[start] : 0;
        out[i + 2] = end <= symbols / STEP ? places[end] : (int64_t)size;
    }
    return (int64_t)walk.made;
}
