/* Owns columns and their export by the Arrow C data and stream interfaces. Knows nothing of OTLP.
   https://arrow.apache.org/docs/format/CDataInterface.html, .../CStreamInterface.html */

#ifndef MCPOBS_ARROW_H
#define MCPOBS_ARROW_H

#include <errno.h>
#include <stdatomic.h>

#include "text.h"

struct ArrowSchema {
    const char *format, *name, *metadata;
    int64_t flags, n_children;
    struct ArrowSchema **children, *dictionary;
    void (*release)(struct ArrowSchema *);
    void *private_data;
};

struct ArrowArray {
    int64_t length, null_count, offset, n_buffers, n_children;
    const void **buffers;
    struct ArrowArray **children, *dictionary;
    void (*release)(struct ArrowArray *);
    void *private_data;
};

struct ArrowArrayStream {
    int (*get_schema)(struct ArrowArrayStream *, struct ArrowSchema *);
    int (*get_next)(struct ArrowArrayStream *, struct ArrowArray *);
    const char *(*get_last_error)(struct ArrowArrayStream *);
    void (*release)(struct ArrowArrayStream *);
    void *private_data;
};

#define ARROW_FLAG_NULLABLE 2

typedef enum { TEXT, BIGINT, SMALLINT, BOOLEAN, DICTIONARY } Type;

/* DICTIONARY is text that many rows share: each row has the number of its text. */
typedef struct {
    const char *name;
    Type type;
} ColumnSchema;

typedef struct {
    size_t count;
    ColumnSchema *columns; /* lives as long as the process */
} Schema;

/* -- a chunk: rows in columns -------------------------------------------------------------------------------- */

/* All members but `type` are zero until the first value: a column without any takes no memory. */
typedef struct {
    Type type;
    int64_t set; /* rows that are not null */
    uint8_t *validity;
    void *values;     /* TEXT: 32-bit offsets; DICTIONARY: 32-bit numbers; BOOLEAN: bits */
    Buffer text;      /* TEXT and DICTIONARY */
    Buffer entries;   /* DICTIONARY: 32-bit offsets into the text */
    int32_t n_entries;
    const void *buffers[3];
    const void *dictionary_buffers[3];
} Column;

typedef struct {
    atomic_int references;
    const Schema *schema;
    int64_t rows, rows_max;
    void *zeros; /* shared by all columns without any value */
    size_t n_open;
    uint32_t *open; /* the TEXT columns with a value */
    Column columns[];
} Chunk;

static void release_chunk(Chunk *chunk) {
    if (chunk == NULL || atomic_fetch_sub(&chunk->references, 1) != 1) return;
    for (size_t i = 0; i < chunk->schema->count; i++) {
        Column *column = &chunk->columns[i];
        free(column->validity);
        free(column->values);
        free(column->text.data);
        free(column->entries.data);
    }
    free(chunk->zeros);
    free(chunk->open);
    free(chunk);
}

static Chunk *new_chunk(Run *run, const Schema *schema, int64_t rows_max) {
    Chunk *chunk = allocated(run, calloc(1, sizeof(Chunk) + schema->count * sizeof(Column)));
    atomic_init(&chunk->references, 1);
    chunk->schema = schema;
    chunk->rows_max = rows_max;
    for (size_t i = 0; i < schema->count; i++) chunk->columns[i].type = schema->columns[i].type;
    chunk->open = calloc(schema->count, sizeof *chunk->open);
    if (chunk->open == NULL) {
        release_chunk(chunk);
        fail(run, NO_MEMORY, NULL);
    }
    return chunk;
}

__attribute__((noinline)) static void open_column(Run *run, Chunk *chunk, Column *column) {
    static const uint8_t widths[] = {[TEXT] = 4, [BIGINT] = 8, [SMALLINT] = 2, [BOOLEAN] = 1, [DICTIONARY] = 4};
    size_t rows = (size_t)chunk->rows_max;
    column->validity = allocated(run, calloc(rows / 8 + 1, 1));
    column->values = allocated(run, calloc(rows + 1, widths[column->type]));
    if (column->type == TEXT) chunk->open[chunk->n_open++] = (uint32_t)(column - chunk->columns);
}

static inline void mark_set(Run *run, Chunk *chunk, Column *column) {
    if (column->values == NULL) open_column(run, chunk, column);
    column->validity[chunk->rows / 8] |= (uint8_t)(1 << chunk->rows % 8);
    column->set++;
}

/* Returns the buffer for the text of this row. */
static inline Buffer *set_text(Run *run, Chunk *chunk, size_t column) {
    mark_set(run, chunk, &chunk->columns[column]);
    return &chunk->columns[column].text;
}

static inline void set_bigint(Run *run, Chunk *chunk, size_t column, int64_t value) {
    mark_set(run, chunk, &chunk->columns[column]);
    ((int64_t *)chunk->columns[column].values)[chunk->rows] = value;
}

static inline void set_smallint(Run *run, Chunk *chunk, size_t column, int16_t value) {
    mark_set(run, chunk, &chunk->columns[column]);
    ((int16_t *)chunk->columns[column].values)[chunk->rows] = value;
}

static inline void set_boolean(Run *run, Chunk *chunk, size_t column, bool value) {
    mark_set(run, chunk, &chunk->columns[column]);
    if (value) ((uint8_t *)chunk->columns[column].values)[chunk->rows / 8] |= (uint8_t)(1 << chunk->rows % 8);
}

static int32_t add_entry(Run *run, Chunk *chunk, size_t at, const Buffer *text) {
    Column *column = &chunk->columns[at];
    if (column->n_entries == 0) put_bytes(run, &column->entries, &(int32_t){0}, sizeof(int32_t));
    put_bytes(run, &column->text, text->data, text->size);
    int32_t end = (int32_t)column->text.size;
    put_bytes(run, &column->entries, &end, sizeof end);
    return column->n_entries++;
}

static inline void set_entry(Run *run, Chunk *chunk, size_t column, int32_t entry) {
    mark_set(run, chunk, &chunk->columns[column]);
    ((int32_t *)chunk->columns[column].values)[chunk->rows] = entry;
}

static inline void end_row(Chunk *chunk) {
    int64_t row = ++chunk->rows;
    for (size_t i = 0; i < chunk->n_open; i++) {
        Column *column = &chunk->columns[chunk->open[i]];
        ((int32_t *)column->values)[row] = (int32_t)column->text.size;
    }
}

/* Puts the buffers of each column together. Nothing may be added afterwards. */
static void finish_chunk(Run *run, Chunk *chunk) {
    size_t zeros = (size_t)(chunk->rows + 1) * 8;
    chunk->zeros = allocated(run, calloc(1, zeros));
    for (size_t i = 0; i < chunk->schema->count; i++) {
        Column *column = &chunk->columns[i];
        const void *values = column->values == NULL ? chunk->zeros : column->values;
        const void *text = column->text.data == NULL ? chunk->zeros : column->text.data;
        column->buffers[0] = column->set == chunk->rows ? NULL : column->validity;
        if (column->set == 0) column->buffers[0] = chunk->zeros;
        column->buffers[1] = values;
        column->buffers[2] = text;
        if (column->type == DICTIONARY) {
            if (column->n_entries == 0) add_entry(run, chunk, i, &(Buffer){NULL, 0, 0}); /* rows that are null name it */
            column->buffers[2] = NULL;
            column->dictionary_buffers[1] = column->entries.data;
            column->dictionary_buffers[2] = column->text.data == NULL ? chunk->zeros : column->text.data;
        }
    }
}

/* -- handing a chunk over ------------------------------------------------------------------------------------ */

/* One ArrowArray with its children. Each of them may be moved away and released on its own, so each holds a reference. */
typedef struct {
    atomic_int references;
    Chunk *chunk;
    struct ArrowArray **pointers;
    struct ArrowArray *dictionaries;
    const void *no_validity[1];
    struct ArrowArray columns[];
} Export;

static void release_export(Export *export) {
    if (atomic_fetch_sub(&export->references, 1) != 1) return;
    release_chunk(export->chunk);
    free(export->pointers);
    free(export->dictionaries);
    free(export);
}

static void release_array(struct ArrowArray *array) {
    Export *export = array->private_data;
    for (int64_t i = 0; i < array->n_children; i++)
        if (array->children[i]->release != NULL) array->children[i]->release(array->children[i]);
    if (array->dictionary != NULL && array->dictionary->release != NULL)
        array->dictionary->release(array->dictionary);
    array->release = NULL;
    release_export(export);
}

static int export_chunk(Chunk *chunk, struct ArrowArray *out) {
    size_t count = chunk->schema->count;
    Export *export = calloc(1, sizeof *export + count * sizeof(struct ArrowArray));
    if (export == NULL) return ENOMEM;
    atomic_init(&export->references, 1);
    atomic_fetch_add(&chunk->references, 1);
    export->chunk = chunk;
    export->pointers = calloc(count, sizeof *export->pointers);
    export->dictionaries = calloc(count, sizeof *export->dictionaries);
    if (export->pointers == NULL || export->dictionaries == NULL) {
        release_export(export);
        return ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        Column *column = &chunk->columns[i];
        struct ArrowArray *array = export->pointers[i] = &export->columns[i];
        array->length = chunk->rows;
        array->null_count = chunk->rows - column->set;
        array->n_buffers = column->type == TEXT ? 3 : 2;
        array->buffers = column->buffers;
        array->release = release_array;
        array->private_data = export;
        atomic_fetch_add(&export->references, 1);
        if (column->type == DICTIONARY) {
            struct ArrowArray *entries = array->dictionary = &export->dictionaries[i];
            entries->length = column->n_entries;
            entries->n_buffers = 3;
            entries->buffers = column->dictionary_buffers;
            entries->release = release_array;
            entries->private_data = export;
            atomic_fetch_add(&export->references, 1);
        }
    }
    *out = (struct ArrowArray){
        .length = chunk->rows,
        .n_buffers = 1,
        .n_children = (int64_t)count,
        .buffers = export->no_validity,
        .children = export->pointers,
        .release = release_array,
        .private_data = export,
    };
    return 0;
}

static void release_schema(struct ArrowSchema *schema) {
    for (int64_t i = 0; i < schema->n_children; i++) {
        struct ArrowSchema *column = schema->children[i];
        if (column->release != NULL) column->release(column);
        free(column);
    }
    free(schema->children);
    if (schema->dictionary != NULL && schema->dictionary->release != NULL)
        schema->dictionary->release(schema->dictionary);
    free(schema->dictionary);
    schema->release = NULL;
}

static struct ArrowSchema *new_schema(const char *format, const char *name) {
    struct ArrowSchema *schema = calloc(1, sizeof *schema);
    if (schema != NULL)
        *schema = (struct ArrowSchema){
            .format = format, .name = name, .flags = ARROW_FLAG_NULLABLE, .release = release_schema};
    return schema;
}

static int export_schema(const Schema *schema, struct ArrowSchema *out) {
    static const char *const formats[] = {
        [TEXT] = "u", [BIGINT] = "l", [SMALLINT] = "s", [BOOLEAN] = "b", [DICTIONARY] = "i"};
    *out = (struct ArrowSchema){.format = "+s", .name = "", .release = release_schema};
    out->children = calloc(schema->count, sizeof *out->children);
    bool failed = out->children == NULL;
    for (size_t i = 0; i < schema->count && !failed; i++) {
        const ColumnSchema *column = &schema->columns[i];
        struct ArrowSchema *made = out->children[i] = new_schema(formats[column->type], column->name);
        if (made == NULL) {
            failed = true;
            break;
        }
        out->n_children++;
        if (column->type == DICTIONARY) failed = (made->dictionary = new_schema("u", "")) == NULL;
    }
    if (failed) release_schema(out);
    return failed ? ENOMEM : 0;
}

/* -- a batch: chunks, and streams of them -------------------------------------------------------------------- */

typedef struct {
    atomic_int references;
    const Schema *schema;
    size_t count, capacity;
    Chunk **chunks;
} Batch;

static void release_batch(Batch *batch) {
    if (batch == NULL || atomic_fetch_sub(&batch->references, 1) != 1) return;
    for (size_t i = 0; i < batch->count; i++) release_chunk(batch->chunks[i]);
    free(batch->chunks);
    free(batch);
}

typedef struct {
    Batch *batch;
    size_t next;
} Streaming;

static int stream_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out) {
    return export_schema(((Streaming *)stream->private_data)->batch->schema, out);
}

static int stream_next(struct ArrowArrayStream *stream, struct ArrowArray *out) {
    Streaming *state = stream->private_data;
    if (state->next == state->batch->count) {
        out->release = NULL; /* the end */
        return 0;
    }
    int error = export_chunk(state->batch->chunks[state->next], out);
    if (error == 0) state->next++;
    return error;
}

static const char *stream_error(struct ArrowArrayStream *stream) {
    (void)stream;
    return "out of memory"; /* nothing else can go wrong */
}

static void release_stream(struct ArrowArrayStream *stream) {
    Streaming *state = stream->private_data;
    release_batch(state->batch);
    free(state);
    stream->release = NULL;
}

static struct ArrowArrayStream *new_stream(Batch *batch) {
    struct ArrowArrayStream *stream = calloc(1, sizeof *stream);
    Streaming *state = calloc(1, sizeof *state);
    if (stream == NULL || state == NULL) {
        free(stream);
        free(state);
        return NULL;
    }
    atomic_fetch_add(&batch->references, 1);
    *state = (Streaming){batch, 0};
    *stream = (struct ArrowArrayStream){stream_schema, stream_next, stream_error, release_stream, state};
    return stream;
}

#endif
