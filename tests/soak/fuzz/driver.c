/* Mutates the files of a corpus, if there is no libFuzzer: driver SEED SECONDS CRASH_FILE FILE... The same seed makes
   the same inputs. Writes each input to CRASH_FILE before it runs it, so that a crash leaves it there. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t state;

static size_t below(size_t most) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return most == 0 ? 0 : (size_t)(state % most);
}

static uint8_t *read_file(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) exit(2);
    fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    uint8_t *data = malloc(*size + 1);
    if (fread(data, 1, *size, file) != *size) exit(2);
    fclose(file);
    return data;
}

static size_t mutate(uint8_t *data, size_t size, size_t room) {
    static const uint8_t odd[] = {0, 1, 8, 0x0a, 0x7f, 0x80, 0xff};
    size_t at = below(size), n = 1 + below(8);
    switch (below(5)) {
        case 0: return at;
        case 1: if (size > 0) data[at] ^= (uint8_t)(1 << below(8)); return size;
        case 2: if (size > 0) data[at] = odd[below(sizeof odd)]; return size;
        case 3:
            if (at + n > size) return size;
            memmove(data + at, data + at + n, size - at - n);
            return size - n;
    }
    if (size + n > room || size < n) return size;
    memmove(data + at + n, data + at, size - at);
    memmove(data + at, data + below(size - n + 1), n);
    return size + n;
}

int main(int argc, char **argv) {
    unsigned long runs = 0;
    time_t end = time(NULL) + atoi(argv[2]);
    state = strtoull(argv[1], NULL, 10) * 2 + 1;
    FILE *crash = fopen(argv[3], "wb");
    if (argc < 5 || crash == NULL) return 2;
    for (; time(NULL) < end; runs++) {
        size_t size, room;
        uint8_t *seed = read_file(argv[4 + below((size_t)argc - 4)], &size);
        uint8_t *data = malloc(room = size + 64);
        memcpy(data, seed, size);
        for (size_t times = below(6); times > 0; times--) size = mutate(data, size, room);
        uint8_t *exact = malloc(size == 0 ? 1 : size); /* ends where the input ends */
        memcpy(exact, data, size);
        rewind(crash);
        fwrite(exact, 1, size, crash);
        fflush(crash);
        LLVMFuzzerTestOneInput(exact, size);
        free(exact), free(data), free(seed);
    }
    printf("%lu inputs\n", runs);
    return 0;
}
