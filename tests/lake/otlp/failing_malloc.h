/* Included into decode.c by the tests: memory that runs out when they say so, and a count of what was not freed. */

#include <stdlib.h>

static long test_left = -1; /* -1: as many as wanted */
static long test_held;

static int may_allocate(void) {
    if (test_left == 0) return 0;
    if (test_left > 0) test_left--;
    return 1;
}

static void *test_malloc(size_t size) {
    void *memory = may_allocate() ? malloc(size) : NULL;
    test_held += memory != NULL;
    return memory;
}

static void *test_calloc(size_t count, size_t size) {
    void *memory = may_allocate() ? calloc(count, size) : NULL;
    test_held += memory != NULL;
    return memory;
}

static void *test_realloc(void *old, size_t size) {
    void *memory = may_allocate() ? realloc(old, size) : NULL;
    test_held += memory != NULL && old == NULL;
    return memory;
}

static void test_free(void *memory) {
    test_held -= memory != NULL;
    free(memory);
}

#define malloc test_malloc
#define calloc test_calloc
#define realloc test_realloc
#define free test_free

void allow_allocations(long count);
long held_allocations(void);
void allow_allocations(long count) { test_left = count; }
long held_allocations(void) { return test_held; }
