/* Feeds one input to decode.c, and reads every byte that it returns. With libFuzzer, or with main in driver.c. */

#include <stdio.h>

#include "decode.c"
#include "tables.h" /* made by test_decoder.py: COLUMNS, TYPES, KEYS, PLACES, KEPT, POWERS, EXPANDED_MAX */

#define DEMAND(condition) \
    do { if (!(condition)) fprintf(stderr, "failed: %s\n", #condition), abort(); } while (0)

static volatile uint64_t sink;

static void read_texts(const struct ArrowArray *array) {
    const int32_t *offsets = array->buffers[1];
    const uint8_t *text = array->buffers[2];
    for (int32_t i = 0; i < offsets[array->length]; i++) sink += text[i];
}

static int64_t read_rows(Batch *batch) {
    struct ArrowArrayStream *stream = mcpobs_otlp_stream(batch);
    struct ArrowArray chunk;
    int64_t rows = 0;
    for (;;) {
        DEMAND(stream->get_next(stream, &chunk) == 0);
        if (chunk.release == NULL) break;
        rows += chunk.length;
        for (int64_t i = 0; i < chunk.n_children; i++) {
            if (chunk.children[i]->dictionary != NULL)
                read_texts(chunk.children[i]->dictionary);
            else if (chunk.children[i]->n_buffers == 3)
                read_texts(chunk.children[i]);
        }
        chunk.release(&chunk);
    }
    stream->release(stream);
    free(stream);
    return rows;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const uint8_t none[1];
    if (data == NULL) data = none;
    if (!tables.ready)
        DEMAND(mcpobs_otlp_prepare(sizeof TYPES, COLUMNS, TYPES, sizeof KEPT, KEYS, PLACES, KEPT, 1, POWERS,
                                   EXPANDED_MAX, NULL) == 0);
    Count count;
    Place place;
    Batch *batch = NULL;
    uint64_t expanded;
    int checked = mcpobs_otlp_check(data, size, &count, &place);
    int measured = mcpobs_otlp_expanded(data, size, &expanded, &place);
    mcpobs_otlp_json_values(data, size, 100);
    int decoded = mcpobs_otlp_decode(&data, &size, 1, &batch, &place);
    DEMAND((checked == FINE) == (decoded == FINE));
    if (decoded != FINE) return 0;
    DEMAND(measured == FINE);
    DEMAND(read_rows(batch) == (int64_t)count.spans);
    mcpobs_otlp_release(batch);
    return 0;
}
