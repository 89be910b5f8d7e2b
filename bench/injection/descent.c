/* Trains a linear model on bags of windows (multiple instances): stochastic gradient descent on the logistic loss of windows.
   An attack's worst window is the attack, its other windows and all windows of other texts are not. Deterministic: the same input and seed give the same weights. Used by `descent.py` alone. */

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#define EXPORT __attribute__((visibility("default")))

#define BLOCKS_MAX 8192 /* of one text */
#define WINDOW_LEAST 2 /* blocks, as in ngrams.c */
#define WINDOW_MOST 6
#define SHORT 6 /* blocks of a text that is hardly more than the attack */
#define OTHER_WINDOW 4
#define OTHER_SHARE 0.3f

typedef struct {
    const uint32_t *hashes;      /* of all texts, block by block */
    const uint64_t *block_ends;  /* per block: where its hashes end */
    const uint64_t *text_ends;   /* per text: where its blocks end */
    const uint8_t *labels;
    const float *shares;         /* how much a text counts */
    const uint32_t *groups;      /* texts of a group come one after another */
    uint32_t texts;
} Texts;

static uint64_t next(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

/* Marks n-grams of at least `least` groups: what only one document has teaches nothing about others. */
static void common(const Texts *texts, uint32_t shift, uint32_t least, uint8_t *kept, uint32_t *last)
{
    uint64_t block = 0, at = 0;
    for (uint32_t text = 0; text < texts->texts; text++)
        for (; block < texts->text_ends[text]; block++)
            for (; at < texts->block_ends[block]; at++) {
                uint32_t index = texts->hashes[at] >> shift;
                if (last[index] != texts->groups[text] + 1 && kept[index] < 255) {
                    last[index] = texts->groups[text] + 1;
                    kept[index]++;
                }
            }
    for (uint64_t index = 0; index < UINT64_C(1) << (32 - shift); index++)
        kept[index] = kept[index] >= least;
}

typedef struct {
    const Texts *texts;
    uint32_t shift;
    const uint8_t *kept;
    float *weights, *squares;
    float bias, bias_square, rate, decay;
    double sums[BLOCKS_MAX];
} Model;

static uint64_t start_of(const Texts *texts, uint64_t block)
{
    return block ? texts->block_ends[block - 1] : 0;
}

typedef struct {
    uint64_t from, to; /* blocks of the text, without `to` */
    double sum;
} Window;

/* Sums the blocks of a text, and finds its worst window. A text of fewer blocks than a window is one window. */
static Window windows(Model *model, uint64_t first, uint64_t blocks)
{
    Window worst = {0, 0, -1e30};
    for (uint64_t block = 0; block < blocks; block++) {
        double sum = 0;
        for (uint64_t at = start_of(model->texts, first + block); at < model->texts->block_ends[first + block]; at++)
            sum += model->weights[model->texts->hashes[at] >> model->shift];
        model->sums[block] = sum;
        double run = 0;
        for (uint64_t from = block + 1; from-- > 0 && block - from < WINDOW_MOST;) {
            run += model->sums[from];
            int fits = block - from + 1 >= WINDOW_LEAST || (from == 0 && block == blocks - 1);
            if (fits && run > worst.sum)
                worst = (Window){from, block + 1, run};
        }
    }
    return worst;
}

static void step(Model *model, uint64_t block, float gradient)
{
    for (uint64_t at = start_of(model->texts, block); at < model->texts->block_ends[block]; at++) {
        uint32_t index = model->texts->hashes[at] >> model->shift;
        if (!model->kept[index])
            continue;
        float slope = gradient + model->decay * model->weights[index];
        model->squares[index] += slope * slope;
        model->weights[index] -= model->rate * slope / sqrtf(model->squares[index] + 1e-3f);
    }
}

/* One step on a window. Its sum is that at the start of the text's turn. */
static void learn(Model *model, uint64_t first, Window window, float label, float share)
{
    float gradient = ((float)(1 / (1 + exp(-(window.sum + model->bias)))) - label) * share;
    if (fabsf(gradient) < 0.01f)
        return;
    for (uint64_t block = window.from; block < window.to; block++)
        step(model, first + block, gradient);
    model->bias_square += gradient * gradient;
    model->bias -= model->rate * gradient / sqrtf(model->bias_square + 1e-3f);
}

/* The windows before and after the worst one are not the attack: in an attack's text they are the carrier. */
static void learn_others(Model *model, uint64_t first, uint64_t blocks, Window worst, float share)
{
    for (uint64_t from = 0; from < blocks; from += OTHER_WINDOW) {
        Window window = {from, from, 0};
        while (window.to < blocks && window.to < from + OTHER_WINDOW)
            window.sum += model->sums[window.to++];
        if (window.to <= worst.from || window.from >= worst.to)
            learn(model, first, window, 0, OTHER_SHARE * share);
    }
}

/* Fills `weights` (2^bits, zero before) and `bias`. Returns 0, or 1 if memory runs out. */
EXPORT int descend(const uint32_t *hashes, const uint64_t *block_ends, const uint64_t *text_ends, const uint8_t *labels, const float *shares,
                   const uint32_t *groups, uint32_t count, uint32_t bits, uint32_t least, uint32_t warm, uint32_t epochs, float rate, float decay,
                   uint64_t seed, float *weights, float *bias)
{
    Texts texts = {hashes, block_ends, text_ends, labels, shares, groups, count};
    uint32_t shift = 32 - bits;
    uint64_t size = UINT64_C(1) << bits;
    uint8_t *kept = calloc(size, 1);
    float *squares = calloc(size, sizeof *squares);
    uint32_t *order = calloc(count > size ? count : size, sizeof *order);
    if (!kept || !squares || !order) {
        free(kept), free(squares), free(order);
        return 1;
    }
    common(&texts, shift, least, kept, order);
    for (uint32_t i = 0; i < count; i++)
        order[i] = i;
    static Model model;
    model = (Model){.texts = &texts, .shift = shift, .kept = kept, .weights = weights, .squares = squares, .decay = decay};
    for (uint32_t epoch = 0; epoch < epochs; epoch++) {
        model.rate = rate * (1.0f - 0.9f * (float)epoch / (float)epochs);
        for (uint32_t i = count - 1; i > 0; i--) {
            uint32_t other = (uint32_t)(next(&seed) % (i + 1)), kept_back = order[i];
            order[i] = order[other];
            order[other] = kept_back;
        }
        for (uint32_t i = 0; i < count; i++) {
            uint32_t text = order[i];
            uint64_t first = text ? text_ends[text - 1] : 0;
            uint64_t blocks = text_ends[text] - first;
            if (labels[text] && epoch < warm && blocks > SHORT)
                continue; /* nobody knows yet in which of its windows the attack is */
            Window worst = windows(&model, first, blocks);
            learn(&model, first, worst, (float)labels[text], shares[text]);
            learn_others(&model, first, blocks, worst, shares[text]);
        }
    }
    *bias = model.bias;
    free(kept), free(squares), free(order);
    return 0;
}
