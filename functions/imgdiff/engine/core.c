/*
 * The core of a comparison: rows of two images in; sums, the box around what differs and rows of
 * the difference image out.
 *
 * Nothing here allocates, and nothing depends on what the bytes are: any bytes are some pixels, and
 * an unknown filter ends the work. The caller (core.py) guarantees that
 *
 * - a comparison's memory is of size_of(width) bytes, aligned as malloc does and zeroed;
 * - channels are 1, 3 or 4, the width is above 0, and begin() is called once before add();
 * - strips have as many rows as add() is told, packed, each of width * channels bytes and one more
 *   in front where it is filtered;
 * - a picture has room for as many rows of 1 + width bytes;
 * - an image has less than 2**30 pixels, so that no sum overflows.
 *
 * Loops are written so that compilers make vector code of them, for either architecture: one row
 * and one step at a time, without branches, in integers as narrow as hold the values.
 */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#define EXPORT __attribute__((visibility("default")))

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

/* What has been found so far; core.py has its twin. Differences are counted in 255ths of a step, in
 * which opaque and premultiplied samples alike are integers. */
typedef struct {
    u64 squares, absolutes, changed;
    u32 largest, transparent;
    u32 left, top, right, bottom; /* half-open; of no meaning while nothing has changed */
} Figures;

typedef struct {
    u32 channels, filtered;
    u8 *above;      /* the row above, of a filtered image */
    u8 *unfiltered; /* room for two rows, used in turn */
    u8 *rgba;       /* room for a row that has to be brought to four channels */
} Image;

typedef struct {
    Figures figures;
    u32 width, row;
    u32 equal_above; /* whether both images have the same row above */
    Image source, target;
    u8 *luma;     /* of the source's row */
    u8 *distance; /* between the rows, sample by sample */
    u8 *changed;  /* not 0 where a pixel has changed */
} Comparison;

/* The steps that undo a row's filter; they come first in the row. */
enum { NONE, SUB, UP, AVERAGE, PAETH };

/* A row of up to four channels, and behind it room for what a vector of the last pixel takes. */
static size_t row_room(size_t width) { return 4 * width + 4; }

/* Two unfiltered rows and one of four channels for each image, and what is made of them. */
enum { ROOMS = 2 * 3 + 3 };

EXPORT size_t size_of(u32 width) { return sizeof(Comparison) + ROOMS * row_room(width); }

EXPORT void begin(Comparison *c, u32 width, u32 source_channels, u32 source_filtered,
                  u32 target_channels, u32 target_filtered) {
    const size_t step = row_room(width);
    u8 *room = (u8 *)(c + 1);
    Image *images[] = {&c->source, &c->target};
    for (int i = 0; i < 2; i++, room += 3 * step) {
        images[i]->unfiltered = images[i]->above = room;
        images[i]->rgba = room + 2 * step;
    }
    c->luma = room;
    c->distance = room + step;
    c->changed = room + 2 * step;
    c->width = width;
    c->source.channels = source_channels;
    c->source.filtered = source_filtered;
    c->target.channels = target_channels;
    c->target.filtered = target_filtered;
    c->equal_above = 1;
}

/* Undoing PNG's row filters: W3C Portable Network Graphics Specification (Third Edition), 9.2. */

/* A pixel's samples in 16 bits each, in which the predictions can be worked out. */
typedef int16_t Pixel __attribute__((vector_size(8)));
typedef u8 PackedPixel __attribute__((vector_size(4)));

INLINE Pixel load(const u8 *from, size_t bytes) {
    PackedPixel packed = {0};
    memcpy(&packed, from, bytes);
    return __builtin_convertvector(packed, Pixel);
}

/* Always four bytes: the next pixel is written over the fourth of three. */
INLINE Pixel store(u8 *to, Pixel pixel) {
    const PackedPixel packed = __builtin_convertvector(pixel, PackedPixel);
    memcpy(to, &packed, sizeof packed);
    return __builtin_convertvector(packed, Pixel);
}

INLINE Pixel choose(Pixel mask, Pixel yes, Pixel no) { return (mask & yes) | (~mask & no); }

/* Of left, above and corner, in this order, the nearest to left + above - corner. That is the one
 * at the far end if the corner is beyond the other, and else the corner, which lies between them:
 * thresholds at a third tell, without branches and absolute values. */
INLINE Pixel paeth(Pixel left, Pixel above, Pixel corner) {
    const Pixel less = left < above;
    const Pixel low = choose(less, left, above), high = choose(less, above, left);
    const Pixel threshold = 3 * corner - left - above;
    return choose(threshold <= low, high, choose(high <= threshold, low, corner));
}

INLINE int paeth_sample(int left, int above, int corner) {
    const int low = left < above ? left : above, high = left < above ? above : left;
    const int threshold = 3 * corner - left - above;
    const int beyond = high <= threshold ? low : corner;
    return threshold <= low ? high : beyond;
}

INLINE void unfilter_grey(u8 *row, const u8 *above, const u8 *filtered, size_t width, int filter) {
    int left = 0, corner = 0;
    for (size_t x = 0; x < width; x++) {
        const int guess = filter == SUB       ? left
                          : filter == AVERAGE ? (left + above[x]) / 2
                                              : paeth_sample(left, above[x], corner);
        corner = above[x];
        left = row[x] = (u8)(filtered[x] + guess);
    }
}

INLINE void unfilter_pixels(u8 *row, const u8 *above, const u8 *filtered, size_t width,
                            size_t channels, int filter) {
    Pixel left = {0}, corner = {0};
    for (size_t x = 0; x < width; x++, row += channels, above += channels, filtered += channels) {
        const Pixel up = load(above, sizeof(PackedPixel));
        const Pixel guess = filter == SUB       ? left
                            : filter == AVERAGE ? (left + up) >> 1
                                                : paeth(left, up, corner);
        /* Behind the last pixel of three there may be nothing to read. */
        const size_t bytes = x + 1 < width ? sizeof(PackedPixel) : channels;
        left = store(row, load(filtered, bytes) + guess);
        corner = up;
    }
}

/* Every filter and number of channels gets a loop of its own. */
INLINE void unfilter_as(u8 *row, const u8 *above, const u8 *filtered, size_t width,
                        size_t channels, int filter) {
    if (channels == 1) unfilter_grey(row, above, filtered, width, filter);
    else if (channels == 3) unfilter_pixels(row, above, filtered, width, 3, filter);
    else unfilter_pixels(row, above, filtered, width, 4, filter);
}

static int unfilter(u8 *restrict row, const u8 *restrict above, const u8 *restrict filtered,
                    size_t width, size_t channels) {
    const size_t bytes = width * channels;
    switch (*filtered++) {
    case NONE: memcpy(row, filtered, bytes); return 1;
    case UP:
        for (size_t i = 0; i < bytes; i++) row[i] = (u8)(above[i] + filtered[i]);
        return 1;
    case SUB: unfilter_as(row, above, filtered, width, channels, SUB); return 1;
    case AVERAGE: unfilter_as(row, above, filtered, width, channels, AVERAGE); return 1;
    case PAETH: unfilter_as(row, above, filtered, width, channels, PAETH); return 1;
    default: return 0;
    }
}

/* The pixels of an image's next row; NULL if its filter is unknown. */
static const u8 *pixels(Image *image, const u8 *row, u32 width) {
    if (!image->filtered) return row;
    u8 *first = image->unfiltered, *second = first + row_room(width);
    u8 *next = image->above == first ? second : first;
    if (!unfilter(next, image->above, row, width, image->channels)) return NULL;
    return image->above = next;
}

static int is_opaque(const u8 *row, size_t width, u32 channels) {
    if (channels < 4) return 1;
    u8 alpha = 255;
    for (size_t x = 0; x < width; x++) alpha &= row[4 * x + 3];
    return alpha == 255;
}

static const u8 *with_alpha(u8 *restrict rgba, const u8 *restrict row, size_t width,
                            u32 channels) {
    if (channels == 4) return row;
    const size_t green = channels / 2, blue = channels - 1;
    for (size_t x = 0; x < width; x++, row += channels) {
        rgba[4 * x] = row[0];
        rgba[4 * x + 1] = row[green];
        rgba[4 * x + 2] = row[blue];
        rgba[4 * x + 3] = 255;
    }
    return rgba;
}

/* Sums of 32 bits hold so many squares of 8-bit differences; they take half as long as of 64. */
enum { BLOCK = 1 << 15 };

/* Measure two opaque rows of as many channels. */
static void measure(Comparison *c, const u8 *restrict s, const u8 *restrict t, u32 channels) {
    const size_t width = c->width, samples = width * channels;
    u8 *restrict distance = c->distance, *restrict changed = c->changed;
    u8 largest = 0;
    for (size_t i = 0; i < samples; i++) {
        distance[i] = s[i] > t[i] ? s[i] - t[i] : t[i] - s[i];
        largest = distance[i] > largest ? distance[i] : largest;
    }
    u64 squares = 0, absolutes = 0;
    for (size_t begin = 0; begin < samples; begin += BLOCK) {
        const size_t end = samples - begin < BLOCK ? samples : begin + BLOCK;
        u32 block_squares = 0, block_absolutes = 0;
        for (size_t i = begin; i < end; i++) {
            block_squares += (u32)(distance[i] * distance[i]);
            block_absolutes += distance[i];
        }
        squares += block_squares;
        absolutes += block_absolutes;
    }
    /* A grey sample stands for three. */
    const u32 same = channels == 1 ? 3 : 1;
    c->figures.squares += squares * same * (255 * 255);
    c->figures.absolutes += absolutes * same * 255;
    if (largest * 255u > c->figures.largest) c->figures.largest = largest * 255u;
    const u8 *d = distance;
    if (channels == 1) memcpy(changed, d, width);
    else if (channels == 3)
        for (size_t x = 0; x < width; x++, d += 3) changed[x] = d[0] | d[1] | d[2];
    else
        for (size_t x = 0; x < width; x++, d += 4) changed[x] = d[0] | d[1] | d[2];
}

/* Measure two rows of RGBA that are not both opaque: R*alpha, G*alpha, B*alpha and 255*alpha. */
static void measure_premultiplied(Comparison *c, const u8 *restrict s, const u8 *restrict t) {
    u8 *restrict changed = c->changed;
    u64 squares = 0, absolutes = 0;
    u16 largest = 0;
    for (size_t x = 0; x < c->width; x++) {
        u16 any = 0;
        for (size_t i = 4 * x; i < 4 * x + 4; i++) {
            const u16 mine = (u16)((i % 4 < 3 ? s[i] : 255) * s[4 * x + 3]);
            const u16 theirs = (u16)((i % 4 < 3 ? t[i] : 255) * t[4 * x + 3]);
            const u16 distance = mine > theirs ? mine - theirs : theirs - mine;
            any |= distance;
            largest = distance > largest ? distance : largest;
            squares += (u32)distance * distance;
            absolutes += distance;
        }
        changed[x] = any != 0;
    }
    c->figures.squares += squares;
    c->figures.absolutes += absolutes;
    if (largest > c->figures.largest) c->figures.largest = largest;
}

/* Count the changed pixels of a row, and extend the box around them. */
static void count(Comparison *c) {
    const u8 *changed = c->changed;
    Figures *f = &c->figures;
    u32 pixels = 0, first = 0, end = c->width;
    for (size_t x = 0; x < c->width; x++) pixels += changed[x] != 0;
    if (!pixels) return;
    if (!f->changed) {
        f->left = c->width;
        f->top = c->row;
    }
    f->changed += pixels;
    f->bottom = c->row + 1;
    while (first < f->left && !changed[first]) first++;
    f->left = first;
    while (end > f->right && !changed[end - 1]) end--;
    f->right = end;
}

/*
 * The difference image: the source faded to light grey, every changed pixel in red over it, as
 * ImageMagick's `compare` has it. With the 8-bit Rec. 601 luma Y of a source pixel on white:
 *
 * - unchanged: round(204 + 0.2*Y) in all three channels
 * - changed: round(0.8*(241, 0, 30) + 0.2*Y)
 *
 * Halves are rounded up. Five lumas fade to one grey, so there are 52 of these; red, being a
 * fraction, steps in between, which makes 103 more colours.
 */

enum { GREYS = 52, COLOURS = GREYS + 103 };

INLINE u8 unchanged_index(u8 luma) { return (u8)((u16)(luma + 2) / 5); }

/* What leads from there to a changed pixel's index. */
INLINE u8 change_of_index(u8 luma) { return (u8)(GREYS + (u16)(luma + 1) / 5); }

/* Write the palette, three bytes each, and return how many bytes. */
EXPORT size_t palette(u8 *colours) {
    static const int highlight[3] = {241, 0, 30};
    for (int luma = 0; luma < 256; luma++) {
        const int grey = unchanged_index((u8)luma), red = grey + change_of_index((u8)luma);
        for (int i = 0; i < 3; i++) {
            colours[3 * grey + i] = (u8)((8 * 255 + 2 * luma + 5) / 10);
            colours[3 * red + i] = (u8)((8 * highlight[i] + 2 * luma + 5) / 10);
        }
    }
    return 3 * COLOURS;
}

/* Rec. 601 as Pillow's mode L has it. */
INLINE u8 luma_of(u32 red, u32 green, u32 blue) {
    return (u8)((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16);
}

/* round((alpha*sample + (255 - alpha)*255) / 255), from the other end: white less what the colour
 * takes away, which fits 16 bits. */
INLINE u8 on_white(u8 sample, u8 alpha) {
    return (u8)(255 - (u16)((255 - sample) * alpha + 127) / 255);
}

static void find_luma(u8 *restrict luma, const u8 *restrict row, size_t width, u32 channels,
                      int opaque) {
    if (channels == 1) memcpy(luma, row, width);
    else if (channels == 3)
        for (size_t x = 0; x < width; x++, row += 3) luma[x] = luma_of(row[0], row[1], row[2]);
    else if (opaque)
        for (size_t x = 0; x < width; x++, row += 4) luma[x] = luma_of(row[0], row[1], row[2]);
    else
        for (size_t x = 0; x < width; x++, row += 4)
            luma[x] = luma_of(on_white(row[0], row[3]), on_white(row[1], row[3]),
                              on_white(row[2], row[3]));
}

static void fade(u8 *restrict picture, const u8 *restrict luma, size_t width) {
    for (size_t x = 0; x < width; x++) picture[x] = unchanged_index(luma[x]);
}

static void highlight(u8 *restrict picture, const u8 *restrict luma, const u8 *restrict changed,
                      size_t width) {
    for (size_t x = 0; x < width; x++) picture[x] += changed[x] ? change_of_index(luma[x]) : 0;
}

/* Whether a filtered row says that it repeats the one above. */
static int repeats(const u8 *filtered, size_t bytes) {
    return filtered[0] == UP && !filtered[1] && !memcmp(filtered + 1, filtered + 2, bytes - 1);
}

/*
 * Add the next rows. Where `target` is NULL, it is the source again. `picture` gets rows of palette
 * indices, each behind its filter, NONE; `changed` gets for every pixel 1 if it has changed, else 0;
 * where one of them is NULL, it is not made. Returns 0 if a row has an unknown filter: the comparison
 * then has no meaning any more.
 */
EXPORT int add(Comparison *c, const u8 *source, const u8 *target, u32 rows, u8 *picture,
               u8 *changed) {
    const u32 width = c->width, channels = c->source.channels;
    const size_t line = 1 + (size_t)width;
    const size_t bytes = (size_t)width * channels, row_bytes = bytes + c->source.filtered;
    const int alike = channels == c->target.channels;
    const int filtered_alike = alike && c->source.filtered && c->target.filtered;
    for (u32 i = 0; i < rows; i++, c->row++) {
        const u8 *mine = source, *theirs = target;
        source += row_bytes;
        if (target) target += (size_t)width * c->target.channels + c->target.filtered;
        /* Equal filtered rows below equal rows are equal pixels, which are made once. */
        int equal = !theirs || (filtered_alike && c->equal_above && !memcmp(mine, theirs, row_bytes));
        if (picture && i) picture += line;
        if (changed && i) changed += width;
        if (changed) memset(changed, 0, width);
        if (picture) picture[0] = NONE;
        /* Most pages are full of rows that repeat the one above. */
        if (equal && i && c->source.filtered && repeats(mine, bytes)) {
            if (picture) memcpy(picture + 1, picture + 1 - line, width);
            continue;
        }
        const u8 *s = pixels(&c->source, mine, width), *t = s;
        if (!s) return 0;
        if (!equal) {
            t = pixels(&c->target, theirs, width);
            if (!t) return 0;
            equal = alike && !memcmp(s, t, bytes);
        }
        const int opaque = is_opaque(s, width, channels);
        if (picture) {
            find_luma(c->luma, s, width, channels, opaque);
            fade(picture + 1, c->luma, width);
        }
        const int both = opaque && (equal || is_opaque(t, width, c->target.channels));
        if (!both) c->figures.transparent = 1;
        c->equal_above = equal;
        if (equal) {
            if (filtered_alike) c->target.above = c->source.above;
            continue;
        }
        if (both && alike) measure(c, s, t, channels);
        else {
            s = with_alpha(c->source.rgba, s, width, channels);
            t = with_alpha(c->target.rgba, t, width, c->target.channels);
            if (both) measure(c, s, t, 4);
            else measure_premultiplied(c, s, t);
        }
        count(c);
        if (changed)
            for (size_t x = 0; x < width; x++) changed[x] = c->changed[x] != 0;
        if (picture) highlight(picture + 1, c->luma, c->changed, width);
    }
    return 1;
}

/* Rows of one image that are made into RGBA. */
typedef struct {
    Image image;
    u32 width;
} Reader;

EXPORT size_t size_of_reader(u32 width) { return sizeof(Reader) + 2 * row_room(width); }

EXPORT void begin_reading(Reader *r, u32 width, u32 channels, u32 filtered) {
    r->image.unfiltered = r->image.above = (u8 *)(r + 1);
    r->image.channels = channels;
    r->image.filtered = filtered;
    r->width = width;
}

/* Make the next rows, as add() takes them, into RGBA. Returns 0 if a row has an unknown filter. */
EXPORT int read_rows(Reader *r, const u8 *rows, u32 count, u8 *rgba) {
    const size_t width = r->width, channels = r->image.channels;
    const size_t row_bytes = width * channels + r->image.filtered;
    for (u32 i = 0; i < count; i++, rows += row_bytes, rgba += 4 * width) {
        const u8 *row = pixels(&r->image, rows, r->width);
        if (!row) return 0;
        if (with_alpha(rgba, row, width, (u32)channels) == row) memcpy(rgba, row, 4 * width);
    }
    return 1;
}
