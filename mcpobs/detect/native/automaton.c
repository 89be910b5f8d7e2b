/* Reads a text once, and says which expressions may match in it and where the first match may begin.

   Walks the table that `bench/injection/packing.py` makes of all expressions. At every byte a thread begins: a state,
   and the place that it began at. Threads in one state are as good as the oldest of them, so a text has few, whatever it
   holds. Allocates nothing, keeps nothing between calls, and takes time linear in the text. */

#include <stddef.h>
#include <stdint.h>

#define EXPORT __attribute__((visibility("default")))
#define NONE (-1)
#define END 256                 /* the class of what comes after the last byte */
#define CLASS_BITS 24
#define MARK (UINT32_C(1) << 23) /* of a step: something happens there; of an item: an expression accepts; of a count: no step leads on */
#define THREADS 2048
#define SEEN 1024
#define MANY 8 /* threads from which on some may be in one state */
#define GROUP_BITS 5
#define STEPS 32 /* of threads, for each byte of a text in the mean */

typedef struct {
    const uint8_t *classes;   /* of the 256 bytes, and of END */
    const uint8_t *groups;    /* likewise: coarser than classes */
    const uint8_t *openings;  /* a bit for a root and the first three groups of a thread: without it the thread would die */
    const uint32_t *entries;  /* class and target; the number of an entry is state + class */
    const uint32_t *lists;    /* count and items */
    const uint32_t *lanes;    /* states of expressions that begin anew at every byte by themselves */
    const uint32_t *targets;  /* expression, the one that has to stand near or UINT32_MAX, distance in bytes */
    const uint32_t *uses;     /* expression: where its targets begin in `used`; one more closes the last */
    const uint32_t *used;
    uint32_t roots[3];        /* at the beginning, after another sign, after a letter */
    uint32_t happens;         /* the class of the entry that names a list */
    uint32_t lane_count, target_count, expression_count;
} Table;

typedef struct {
    uint32_t state, start;
} Thread;

typedef struct {
    int64_t first; /* place at which the leftmost match so far begins */
    int64_t last;  /* place after which the last one ends */
} Matched;

typedef struct {
    const Table *table;
    Matched *matched; /* by expression */
    uint8_t *open;    /* by target: whether it was found */
    Thread *next;
    uint32_t count;
    int many; /* whether threads in one state are looked for */
    int overflow;
    Thread seen[SEEN]; /* states that were entered, with the place: the table forgets some, which costs only time */
} Walk;

static void accept(Walk *walk, uint32_t expression, uint32_t start, size_t at)
{
    const Table *table = walk->table;
    Matched *one = &walk->matched[expression];
    if (one->first == NONE || (int64_t)start < one->first)
        one->first = start;
    one->last = (int64_t)at;
    for (uint32_t i = table->uses[expression]; i < table->uses[expression + 1]; i++) {
        const uint32_t *target = &table->targets[3 * table->used[i]];
        uint8_t *open = &walk->open[table->used[i]];
        if (*open)
            continue;
        if (target[1] == UINT32_MAX)
            *open = 1;
        int64_t within = target[2];
        if (target[0] == expression && target[1] != UINT32_MAX) {
            const Matched *near = &walk->matched[target[1]];
            *open = near->first != NONE && near->last >= (int64_t)start - within;
        }
        if (!*open && target[1] == expression) {
            const Matched *far = &walk->matched[target[0]];
            *open = far->first != NONE && far->last + within + 1 >= (int64_t)at;
        }
    }
}

static inline uint32_t step(const Table *table, uint32_t state, uint32_t class)
{
    uint32_t entry = table->entries[(size_t)state + class];
    return entry >> CLASS_BITS == class ? entry & ((UINT32_C(1) << CLASS_BITS) - 1) : 0;
}

static void arrive(Walk *walk, uint32_t to, uint32_t start, size_t at)
{
    uint32_t state = to & ~MARK;
    if (walk->many) {
        Thread *slot = &walk->seen[(state ^ state >> 10) & (SEEN - 1)];
        if (slot->state == state && slot->start == (uint32_t)at)
            return; /* an older thread was here */
        slot->state = state;
        slot->start = (uint32_t)at;
    }
    if (to & MARK) {
        const Table *table = walk->table;
        const uint32_t *list = &table->lists[step(table, state, table->happens)];
        uint32_t count = *list & ~MARK;
        for (uint32_t i = 1; i <= count; i++)
            if (list[i] & MARK)
                accept(walk, list[i] & ~MARK, start, at);
        for (uint32_t i = 1; i <= count; i++)
            if (!(list[i] & MARK))
                arrive(walk, list[i], start, at);
        if (*list & MARK)
            return;
    }
    if (walk->count == THREADS)
        walk->overflow = 1;
    else
        walk->next[walk->count++] = (Thread){state, start};
}

static inline int is_word(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') || byte == '_';
}

static inline int opens(const Table *table, uint32_t root, uint32_t next)
{
    uint32_t bit = root << 3 * GROUP_BITS | (next & ((1U << 3 * GROUP_BITS) - 1));
    return table->openings[bit >> 3] >> (bit & 7) & 1;
}

static void ride(Walk *walk, uint32_t *lanes, uint32_t class, size_t at)
{
    const Table *table = walk->table;
    for (uint32_t i = 0; i < table->lane_count; i++) {
        if (!lanes[i])
            continue;
        uint32_t to = step(table, lanes[i], class);
        lanes[i] = to & ~MARK;
        if (to & MARK) {
            const uint32_t *list = &table->lists[step(table, lanes[i], table->happens)];
            for (uint32_t k = 1; k <= (*list & ~MARK); k++)
                accept(walk, list[k] & ~MARK, 0, at);
        }
    }
}

/* Writes (target, place) of what may match, by target; `out` has room for all. `matched`, `open` and `lanes` are room for
   as many as the table has expressions, targets and lanes. Returns how many numbers were written, or -1 if the text
   has too many threads. */
EXPORT int64_t mcpobs_automaton_walk(const Table *table, const uint8_t *text, size_t size, Matched *matched, uint8_t *open,
                                     uint32_t *lanes, int64_t *out)
{
    Thread threads[2][THREADS];
    Walk walk = {.table = table, .matched = matched, .open = open};
    uint32_t before = 0, next = table->groups[size > 0 ? text[0] : END];
    uint64_t left = (uint64_t)size * STEPS + THREADS * STEPS;
    int64_t made = 0;
    next = next << GROUP_BITS | table->groups[size > 1 ? text[1] : END];
    for (uint32_t i = 0; i < table->expression_count; i++)
        matched[i] = (Matched){NONE, NONE};
    for (uint32_t i = 0; i < table->target_count; i++)
        open[i] = 0;
    for (uint32_t i = 0; i < table->lane_count; i++)
        lanes[i] = table->lanes[i];
    for (size_t at = 0; at <= size && !walk.overflow; at++) {
        uint32_t class = table->classes[at < size ? text[at] : END], to;
        const Thread *now = threads[at & 1];
        walk.next = threads[~at & 1];
        walk.count = 0;
        walk.many = before >= MANY;
        for (uint32_t i = 0; i < before; i++)
            if ((to = step(table, now[i].state, class)) != 0)
                arrive(&walk, to, now[i].start, at + 1);
        uint32_t root = at == 0 ? 0 : is_word(text[at - 1]) ? 2 : 1;
        next = next << GROUP_BITS | table->groups[at + 2 < size ? text[at + 2] : END];
        if (opens(table, root, next) && at < size && (to = step(table, table->roots[root], class)) != 0)
            arrive(&walk, to, (uint32_t)at, at + 1);
        ride(&walk, lanes, class, at + 1);
        before = walk.count;
        left -= before < left ? before : left;
        walk.overflow |= left == 0;
    }
    if (walk.overflow)
        return -1;
    for (uint32_t i = 0; i < table->target_count; i++)
        if (open[i]) {
            out[made++] = i;
            out[made++] = matched[table->targets[3 * i]].first;
        }
    return made;
}
