/* Scores text with a linear model over hashed n-grams: words (1 to 3) and characters (3 to 5).

   Loaded by `library.py`; knows nothing of Python, so it runs without the interpreter's lock. Allocates nothing, keeps
   nothing between calls, and takes time linear in the text. `bench/injection/hashing.py` is the reference in Python,
   and a test compares the two hash by hash.

   The text arrives as lower-case code points. Its symbols: every white space is a blank, every digit a 0, a symbol
   counts at most three times in a row (a blank once). BLOCK symbols make a block; an n-gram belongs to the block in
   which it ends and counts once in it. A window is 2 to 6 neighbouring blocks (or all of a shorter text), and the score
   of a text is that of its worst window: an attack may be a short sentence or a paragraph. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

#define BLOCK 40
#define WINDOW_LEAST 2 /* blocks; bench/injection/descent.c trains with the same */
#define WINDOW_MOST 6
#define RUN_MAX 3
#define SEEN_BITS 10 /* the n-grams of a block, about 200, in a table that stays in the first cache */
#define PRIME UINT32_C(0x01000193)
#define WORD_STEP UINT32_C(0x9E3779B1)

static inline uint32_t mixed(uint32_t hash)
{
    hash ^= hash >> 16;
    hash *= UINT32_C(0x85EBCA6B);
    hash ^= hash >> 13;
    hash *= UINT32_C(0xC2B2AE35);
    return hash ^ (hash >> 16);
}

static inline int is_blank(uint32_t point)
{
    return point <= 0x20 || point == 0x85 || point == 0xA0 || (point >= 0x2000 && point <= 0x200A) || point == 0x2028 ||
           point == 0x2029 || point == 0x202F || point == 0x205F || point == 0x3000;
}

/* Scripts without blanks between words: each of their characters is a word. */
static inline int is_word_alone(uint32_t point)
{
    return (point >= 0x0E00 && point <= 0x0E7F) || (point >= 0x3040 && point <= 0x30FF) || (point >= 0x3400 && point <= 0x9FFF) ||
           (point >= 0x20000 && point <= 0x3FFFF);
}

static inline int is_of_a_word(uint32_t point)
{
    if (point < 0x80)
        return (point >= 'a' && point <= 'z') || point == '0' || point == '_';
    return point >= 0xAA && point != 0xAB && point != 0xBB && point != 0xBF && point != 0xD7 && point != 0xF7 &&
           !(point >= 0x2000 && point <= 0x206F) && !(point >= 0x3000 && point <= 0x303F) && !(point >= 0xFF00 && point <= 0xFF0F);
}

typedef struct {
    const int16_t *weights; /* 2^bits of them, or NULL: then hashes go to `out` */
    uint32_t shift;         /* 32 - bits */
    uint32_t *out;
    size_t capacity, made;
    uint32_t block;
    int32_t sums[WINDOW_MOST]; /* of the last blocks, newest first */
    int32_t best;
    uint64_t seen[1 << SEEN_BITS];
} Walk;

static inline void take(Walk *walk, uint32_t hash)
{
    hash = mixed(hash);
    uint64_t key = (uint64_t)(walk->block + 1) << 32 | hash;
    uint64_t *slot = &walk->seen[hash & ((1 << SEEN_BITS) - 1)];
    if (*slot == key)
        return;
    *slot = key;
    if (walk->weights)
        walk->sums[0] += walk->weights[hash >> walk->shift];
    else if (walk->made + 2 <= walk->capacity) {
        walk->out[walk->made++] = walk->block;
        walk->out[walk->made++] = hash;
    }
}

static void end_block(Walk *walk, int last)
{
    int32_t sum = 0;
    for (uint32_t size = 1; size <= WINDOW_MOST && size <= walk->block + 1; size++) {
        sum += walk->sums[size - 1];
        if (size >= WINDOW_LEAST || (last && walk->block == 0))
            if (sum > walk->best)
                walk->best = sum;
    }
    memmove(walk->sums + 1, walk->sums, (WINDOW_MOST - 1) * sizeof walk->sums[0]);
    walk->sums[0] = 0;
    walk->block++;
}

static inline void end_word(Walk *walk, uint32_t words[3], uint32_t word)
{
    words[2] = words[1];
    words[1] = words[0];
    words[0] = mixed(word);
    take(walk, words[0] ^ 1);
    if (words[1]) {
        uint32_t two = words[0] + words[1] * WORD_STEP;
        take(walk, two ^ 2);
        if (words[2])
            take(walk, (two + words[2] * (WORD_STEP * WORD_STEP)) ^ 3);
    }
}

static void scan(Walk *walk, const uint32_t *points, size_t count)
{
    uint32_t last[5] = {0}; /* newest first */
    uint32_t words[3] = {0};
    uint32_t word = 0, run = 0;
    size_t symbols = 0;
    for (size_t i = 0; i <= count; i++) { /* a blank ends the text */
        uint32_t point = i < count ? points[i] : ' ';
        if (is_blank(point))
            point = ' ';
        else if (point >= '0' && point <= '9')
            point = '0';
        run = symbols && point == last[0] ? run + 1 : 1;
        if (run > (point == ' ' ? 1 : RUN_MAX))
            continue;
        if (symbols && symbols % BLOCK == 0)
            end_block(walk, 0);
        symbols++;
        last[4] = last[3];
        last[3] = last[2];
        last[2] = last[1];
        last[1] = last[0];
        last[0] = point;
        if (symbols >= 3) {
            uint32_t hash = (((last[0] * PRIME) ^ last[1]) * PRIME ^ last[2]) * PRIME;
            take(walk, hash ^ 4);
            if (symbols >= 4) {
                hash = (hash ^ last[3]) * PRIME;
                take(walk, hash ^ 5);
                if (symbols >= 5)
                    take(walk, ((hash ^ last[4]) * PRIME) ^ 6);
            }
        }
        if (is_word_alone(point)) {
            if (word)
                end_word(walk, words, word);
            end_word(walk, words, (WORD_STEP ^ point) * PRIME);
            word = 0;
        } else if (is_of_a_word(point))
            word = ((word ? word : WORD_STEP) ^ point) * PRIME;
        else if (word) {
            end_word(walk, words, word);
            word = 0;
        }
    }
    end_block(walk, 1);
}

/* The sum of the weights of the worst window. */
EXPORT int32_t mcpobs_ngrams_score(const uint32_t *points, size_t count, const int16_t *weights, uint32_t bits)
{
    Walk walk;
    memset(&walk, 0, sizeof walk);
    walk.weights = weights;
    walk.best = INT32_MIN;
    walk.shift = 32 - bits;
    scan(&walk, points, count);
    return walk.best;
}

/* Writes pairs of block and hash, as many as fit into `capacity` numbers. Returns how many numbers were written. */
EXPORT size_t mcpobs_ngrams_hashes(const uint32_t *points, size_t count, uint32_t *out, size_t capacity)
{
    Walk walk;
    memset(&walk, 0, sizeof walk);
    walk.out = out;
    walk.capacity = capacity;
    scan(&walk, points, count);
    return walk.made;
}
