/* Writes output: growing buffers, UTF-8, JSON strings, numbers. Knows nothing of OTLP and nothing of Arrow. */

#ifndef MCPOBS_TEXT_H
#define MCPOBS_TEXT_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if !defined(__SIZEOF_INT128__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "needs 128-bit integers and a little-endian machine; the decoder in Python serves all others"
#endif

typedef enum { FINE = 0, MALFORMED = 1, TOO_DEEP = 2, TOO_LARGE = 3, NO_MEMORY = 4 } Code;

/* One call from Python. `fail` leaves it from any depth; the caller of setjmp frees the memory. */
typedef struct {
    jmp_buf out;
    Code code;
    const uint8_t *at; /* where in the request, if known */
} Run;

_Noreturn static void fail(Run *run, Code code, const uint8_t *at) {
    run->code = code;
    run->at = at;
    longjmp(run->out, 1);
}

static void *allocated(Run *run, void *memory) {
    if (memory == NULL) fail(run, NO_MEMORY, NULL);
    return memory;
}

/* -- buffers ------------------------------------------------------------------------------------------------- */

#define TEXT_MAX ((size_t)INT32_MAX) /* Arrow's utf8 has 32-bit offsets */

typedef struct {
    uint8_t *data;
    size_t size, capacity;
} Buffer;

__attribute__((noinline)) static void grow(Run *run, Buffer *b, size_t more) {
    size_t wanted = b->size + more, capacity = 2 * b->capacity;
    if (more > TEXT_MAX || wanted > TEXT_MAX) fail(run, TOO_LARGE, NULL);
    if (capacity < wanted) capacity = wanted;
    if (capacity < 1024) capacity = 1024;
    if (capacity > TEXT_MAX) capacity = TEXT_MAX;
    b->data = allocated(run, realloc(b->data, capacity));
    b->capacity = capacity;
}

static inline uint8_t *reserve(Run *run, Buffer *b, size_t more) {
    if (b->capacity - b->size < more) grow(run, b, more);
    return b->data + b->size;
}

static inline void put_bytes(Run *run, Buffer *b, const void *data, size_t size) {
    uint8_t *to = reserve(run, b, size);
    if (size != 0) memcpy(to, data, size);
    b->size += size;
}

#define put(run, b, literal) put_bytes(run, b, literal, sizeof(literal) - 1)

static inline void put_byte(Run *run, Buffer *b, uint8_t byte) {
    *reserve(run, b, 1) = byte;
    b->size++;
}

/* -- UTF-8 --------------------------------------------------------------------------------------------------- */

static inline uint64_t load64(const uint8_t *at) {
    uint64_t word;
    memcpy(&word, at, 8);
    return word;
}

static inline uint32_t load32(const uint8_t *at) {
    uint32_t word;
    memcpy(&word, at, 4);
    return word;
}

#define EACH_BYTE(value) (UINT64_C(0x0101010101010101) * (value))
#define HIGH_BITS EACH_BYTE(0x80)

/* Returns the length of the sequence at `s`, which begins with a byte above 0x7f. If it is not UTF-8, the bytes that
   one U+FFFD replaces: the longest prefix of a possible sequence (Unicode 3.9, as Python does). */
static size_t sequence(const uint8_t *s, size_t n, bool *valid) {
    uint8_t first = s[0], low = 0x80, high = 0xbf;
    size_t length;
    *valid = false;
    if (first < 0xc2 || first > 0xf4) return 1;
    if (first < 0xe0) {
        length = 2;
    } else if (first < 0xf0) {
        length = 3;
        if (first == 0xe0) low = 0xa0;
        if (first == 0xed) high = 0x9f; /* no surrogates */
    } else {
        length = 4;
        if (first == 0xf0) low = 0x90;
        if (first == 0xf4) high = 0x8f;
    }
    for (size_t i = 1; i < length; i++) {
        if (i == n || s[i] < low || s[i] > high) return i;
        low = 0x80, high = 0xbf;
    }
    *valid = true;
    return length;
}

static bool is_utf8(const uint8_t *s, size_t n) {
    bool valid = true;
    for (size_t i = 0; i < n && valid;) i += s[i] < 0x80 ? 1 : sequence(s + i, n - i, &valid);
    return valid;
}

#define REPLACEMENT "\xef\xbf\xbd"

__attribute__((noinline)) static void put_unicode(Run *run, Buffer *b, const uint8_t *s, size_t n) {
    if (is_utf8(s, n)) {
        put_bytes(run, b, s, n);
        return;
    }
    for (size_t i = 0; i < n;) {
        bool valid = true;
        size_t length = s[i] < 0x80 ? 1 : sequence(s + i, n - i, &valid);
        if (valid)
            put_bytes(run, b, s + i, length);
        else
            put(run, b, REPLACEMENT);
        i += length;
    }
}

/* The last 1 to 7 bytes of `n`, without reading beyond them; the upper bytes are 0. */
static inline uint64_t load_rest(const uint8_t *s, size_t n) {
    size_t rest = n % 8;
    if (n >= 8) return load64(s + n - 8) >> 8 * (8 - rest);
    if (n >= 4) return load32(s) | (uint64_t)load32(s + n - 4) << 8 * (n - 4);
    return (uint64_t)s[0] | (uint64_t)s[n / 2] << 8 * (n / 2) | (uint64_t)s[n - 1] << 8 * (n - 1);
}

/* Copies text; invalid UTF-8 becomes U+FFFD. */
static inline void put_text(Run *run, Buffer *b, const uint8_t *s, size_t n) {
    uint8_t *to = reserve(run, b, n + 8); /* whole words are written, also the last */
    uint64_t seen = 0, word;
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        seen |= word = load64(s + i);
        memcpy(to + i, &word, 8);
    }
    if (i < n) {
        seen |= word = load_rest(s, n);
        memcpy(to + i, &word, 8);
    }
    if (__builtin_expect((seen & HIGH_BITS) == 0, 1))
        b->size += n;
    else
        put_unicode(run, b, s, n);
}

/* -- JSON strings -------------------------------------------------------------------------------------------- */

static const char HEX[] = "0123456789abcdef";

/* Nonzero if a byte of the word is a control character, a quote, a backslash or above 0x7f. It may also mark a byte
   above a correctly marked one, never one below. */
static inline uint64_t special(uint64_t word) {
    uint64_t quote = word ^ EACH_BYTE('"'), backslash = word ^ EACH_BYTE('\\');
    return (word | (word - EACH_BYTE(0x20)) | (quote - EACH_BYTE(1)) | (backslash - EACH_BYTE(1))) & HIGH_BITS;
}

static void put_escaped(Run *run, Buffer *b, uint8_t c) {
    uint8_t *to = reserve(run, b, 6);
    char mark = c == '"'    ? '"'
                : c == '\\' ? '\\'
                : c == '\n' ? 'n'
                : c == '\r' ? 'r'
                : c == '\t' ? 't'
                : c == '\b' ? 'b'
                : c == '\f' ? 'f'
                            : 0;
    *to++ = '\\';
    if (mark != 0) {
        *to = (uint8_t)mark;
        b->size += 2;
        return;
    }
    memcpy(to, "u00", 3);
    to[3] = (uint8_t)HEX[c >> 4], to[4] = (uint8_t)HEX[c & 15];
    b->size += 6;
}

__attribute__((noinline)) static void put_special(Run *run, Buffer *b, const uint8_t *s, size_t n) {
    for (size_t i = 0; i < n;) {
        if (i + 8 <= n) {
            uint64_t word = load64(s + i), found = special(word);
            size_t plain = found == 0 ? 8 : (size_t)__builtin_ctzll(found) / 8;
            memcpy(reserve(run, b, 8), &word, 8);
            b->size += plain;
            i += plain;
            if (plain == 8) continue;
        }
        uint8_t c = s[i];
        if (c >= 0x80) {
            bool valid;
            size_t length = sequence(s + i, n - i, &valid);
            if (valid)
                put_bytes(run, b, s + i, length);
            else
                put(run, b, REPLACEMENT);
            i += length;
            continue;
        }
        if (c < 0x20 || c == '"' || c == '\\')
            put_escaped(run, b, c);
        else
            put_byte(run, b, c);
        i++;
    }
}

/* A JSON string with its quotes, escaped as Python's json module does with ensure_ascii=False. */
static inline void put_string(Run *run, Buffer *b, const uint8_t *s, size_t n) {
    uint8_t *to = reserve(run, b, n + 10); /* whole words are written, also the last */
    size_t i = 0;
    *to++ = '"';
    b->size++;
    while (i + 8 <= n) {
        uint64_t word = load64(s + i);
        if (special(word) != 0) goto rest;
        memcpy(to + i, &word, 8);
        i += 8;
    }
    if (i < n) {
        uint64_t word = load_rest(s, n);
        if (special(word | (EACH_BYTE(0x20) << (8 * (n - i)))) != 0) goto rest;
        memcpy(to + i, &word, 8);
    }
    to[n] = '"';
    b->size += n + 1;
    return;
rest:
    b->size += i;
    put_special(run, b, s + i, n - i);
    put_byte(run, b, '"');
}

/* -- numbers, hex, base64 ------------------------------------------------------------------------------------ */

/* `n` is a multiple of 4. Four bytes at a time: a half of each byte becomes a byte, then 0-9 and a-f of it. */
static inline void put_hex(Run *run, Buffer *b, const uint8_t *s, size_t n) {
    uint8_t *to = reserve(run, b, 2 * n);
    for (size_t i = 0; i < n; i += 4) {
        uint64_t word = load32(s + i), letters;
        word = (word | word << 16) & UINT64_C(0x0000ffff0000ffff);
        word = (word | word << 8) & UINT64_C(0x00ff00ff00ff00ff);
        word = (word >> 4 & UINT64_C(0x000f000f000f000f)) | (word & UINT64_C(0x000f000f000f000f)) << 8;
        letters = (word + EACH_BYTE(6)) >> 4 & EACH_BYTE(1);
        word += EACH_BYTE('0') + letters * ('a' - '0' - 10);
        memcpy(to + 2 * i, &word, 8);
    }
    b->size += 2 * n;
}

static void put_base64(Run *run, Buffer *b, const uint8_t *s, size_t n) {
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint8_t *to = reserve(run, b, (n + 2) / 3 * 4);
    b->size += (n + 2) / 3 * 4;
    for (; n != 0; to += 4) {
        size_t taken = n < 3 ? n : 3;
        uint32_t bits = (uint32_t)s[0] << 16;
        if (taken > 1) bits |= (uint32_t)s[1] << 8;
        if (taken > 2) bits |= s[2];
        to[0] = (uint8_t)letters[bits >> 18];
        to[1] = (uint8_t)letters[bits >> 12 & 63];
        to[2] = taken > 1 ? (uint8_t)letters[bits >> 6 & 63] : '=';
        to[3] = taken > 2 ? (uint8_t)letters[bits & 63] : '=';
        s += taken, n -= taken;
    }
}

static const char PAIRS[] =
    "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849"
    "5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";

/* Writes the digits so that they end at `end`; returns their start. */
static inline uint8_t *digits(uint8_t *end, uint64_t value) {
    for (; value >= 100; value /= 100) memcpy(end -= 2, PAIRS + 2 * (value % 100), 2);
    if (value >= 10)
        memcpy(end -= 2, PAIRS + 2 * value, 2);
    else
        *--end = (uint8_t)('0' + value);
    return end;
}

static inline void put_unsigned(Run *run, Buffer *b, uint64_t value) {
    uint8_t text[20], *end = text + sizeof text, *begin = digits(end, value);
    put_bytes(run, b, begin, (size_t)(end - begin));
}

static inline void put_signed(Run *run, Buffer *b, int64_t value) {
    if (value < 0) put_byte(run, b, '-');
    put_unsigned(run, b, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

/* 10^k for k from -292 to 324, each as the upper 128 bits of its significand, rounded up: high and low half. They are
   made in Python, exactly, once. */
typedef uint64_t Powers[617][2];

static inline uint64_t round_to_odd(const uint64_t power[2], uint64_t factor) {
    unsigned __int128 low = (unsigned __int128)power[1] * factor, high = (unsigned __int128)power[0] * factor;
    high += (uint64_t)(low >> 64);
    return (uint64_t)(high >> 64) | ((uint64_t)high > 1);
}

/* Returns the shortest decimal that reads back as the same double, the nearest of them. `*exponent` is the last digit's.
   R. Giulietti, "The Schubfach way to render doubles", 2020, section 9.9. */
static uint64_t shortest(const Powers *powers, uint64_t fraction, int biased, int *exponent) {
    uint64_t c = biased != 0 ? fraction | UINT64_C(1) << 52 : fraction;
    int q = (biased != 0 ? biased : 1) - 1075;
    bool nearer = fraction == 0 && biased > 1, odd = c & 1; /* the lower neighbour of a power of two is nearer */
    int k = (q * 1262611 - (nearer ? 524031 : 0)) >> 22;    /* floor(log10(2^q)) */
    int h = q + (-k * 1741647 >> 19) + 1;                   /* floor(log2(10^-k)) */
    const uint64_t *power = (*powers)[-k + 292];
    uint64_t lower = round_to_odd(power, (4 * c - 2 + nearer) << h) + odd;
    uint64_t value = round_to_odd(power, 4 * c << h);
    uint64_t upper = round_to_odd(power, (4 * c + 2) << h) - odd;
    uint64_t s = value / 4, tens = s / 10;
    if (s >= 10) {
        bool below = lower <= 40 * tens, above = 40 * tens + 40 <= upper;
        if (below != above) {
            *exponent = k + 1;
            return tens + above;
        }
    }
    *exponent = k;
    bool below = lower <= 4 * s, above = 4 * s + 4 <= upper;
    if (below != above) return s + above;
    return s + (value > 4 * s + 2 || (value == 4 * s + 2 && (s & 1)));
}

/* Writes like Python's repr: always with a point or an exponent. The value is finite.

   Not CPython's PyOS_double_to_string: it needs the interpreter's lock, and with the lock held it still takes 48 % more
   time for a span of bench/decode.py, which has one double in 25 attributes (1,016,000 spans/s, not 1,502,000). */
static void put_double(Run *run, Buffer *b, const Powers *powers, uint64_t bits) {
    uint8_t text[20], *end = text + sizeof text, *begin;
    uint64_t fraction = bits & ((UINT64_C(1) << 52) - 1);
    int biased = bits >> 52 & 0x7ff, exponent = 0;
    if (bits >> 63) put_byte(run, b, '-');
    if (biased == 0 && fraction == 0) {
        put(run, b, "0.0");
        return;
    }
    begin = digits(end, shortest(powers, fraction, biased, &exponent));
    while (end[-1] == '0') end--, exponent++;
    int count = (int)(end - begin), point = count + exponent;
    if (point > 16 || point <= -4) {
        put_byte(run, b, *begin);
        if (count > 1) put_byte(run, b, '.');
        put_bytes(run, b, begin + 1, (size_t)count - 1);
        put_byte(run, b, 'e');
        put_byte(run, b, point > 0 ? '+' : '-');
        unsigned size = (unsigned)(point > 0 ? point - 1 : 1 - point);
        if (size < 10) put_byte(run, b, '0');
        put_unsigned(run, b, size);
    } else if (point <= 0) {
        put(run, b, "0.");
        put_bytes(run, b, "000", (size_t)-point);
        put_bytes(run, b, begin, (size_t)count);
    } else if (point >= count) {
        put_bytes(run, b, begin, (size_t)count);
        put_bytes(run, b, "000000000000000", (size_t)(point - count));
        put(run, b, ".0");
    } else {
        put_bytes(run, b, begin, (size_t)point);
        put_byte(run, b, '.');
        put_bytes(run, b, begin + point, (size_t)(count - point));
    }
}

#endif
