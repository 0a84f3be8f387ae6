/*
 * The pixels that pixelmatch counts: those further apart in colour than is let pass, but for
 * anti-aliased ones. It is pixelmatch 7.2.0 to the pixel (https://github.com/mapbox/pixelmatch),
 * which works in doubles: the order of its operations is kept.
 *
 * The caller (pixelmatch.py) guarantees that both images have as many rows here, packed, each of
 * width RGBA pixels; and that two rows above begin and two below end are among them, where the
 * image has these. So the edge of the rows is that of the image wherever that is asked.
 */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#define EXPORT __attribute__((visibility("default")))

typedef uint8_t u8;
typedef uint32_t u32;
typedef uint64_t u64;

typedef struct {
    const u8 *source, *target;
    size_t width, rows;
    u64 above; /* pixels of the image above these rows */
} Rows;

typedef struct {
    size_t left, top, right, bottom; /* all within */
} Neighbours;

typedef struct {
    double red, green, blue;
} Distance;

static u32 pixel_at(const u8 *pixels, size_t at) {
    u32 pixel;
    memcpy(&pixel, pixels + 4 * at, sizeof pixel);
    return pixel;
}

/* One of the squares of the board that is seen through transparent pixels, in light or dark: where
 * JavaScript's (offset / period | 0) % 2 is odd, which is negative beyond 2**31. */
static double square(double offset, double period) {
    return 48 + 159 * ((int32_t)(u32)(u64)(offset / period) % 2);
}

/* Of two pixels, blended with the board as it is at an offset in bytes from the image's begin. */
INLINE Distance distance(const u8 *a, const u8 *b, u64 offset) {
    const double alpha_a = a[3], alpha_b = b[3];
    if (a[3] == 255 && b[3] == 255) return (Distance){a[0] - b[0], a[1] - b[1], a[2] - b[2]};
    /* The offset of a pixel is even, so that its red is always seen on dark. */
    const double at = (double)offset, apart = alpha_a - alpha_b;
    const double green = square(at, 1.618033988749895), blue = square(at, 2.618033988749895);
    return (Distance){
        (a[0] * alpha_a - b[0] * alpha_b - 48 * apart) / 255,
        (a[1] * alpha_a - b[1] * alpha_b - green * apart) / 255,
        (a[2] * alpha_a - b[2] * alpha_b - blue * apart) / 255,
    };
}

static double brightness(Distance d) {
    return d.red * 0.29889531 + d.green * 0.58662247 + d.blue * 0.11448223;
}

/* Y. Kotsarenko and F. Ramos, Measuring perceived color difference using YIQ NTSC transmission
 * color space in mobile applications, 2010. */
static double colour_difference(const u8 *a, const u8 *b, u64 offset) {
    const Distance d = distance(a, b, offset);
    const double y = brightness(d);
    const double i = d.red * 0.59597799 - d.green * 0.27417610 - d.blue * 0.32180189;
    const double q = d.red * 0.21147017 - d.green * 0.52261711 + d.blue * 0.31114694;
    return 0.5053 * y * y + 0.299 * i * i + 0.1957 * q * q;
}

static Neighbours neighbours(const Rows *rows, size_t x, size_t y) {
    return (Neighbours){
        .left = x ? x - 1 : 0,
        .top = y ? y - 1 : 0,
        .right = x + 1 < rows->width ? x + 1 : x,
        .bottom = y + 1 < rows->rows ? y + 1 : y,
    };
}

/* What the edge of an image counts for among equal neighbours. */
static int at_edge(Neighbours n, size_t x, size_t y) {
    return n.left == x || n.right == x || n.top == y || n.bottom == y;
}

static int has_many_siblings(const Rows *rows, const u8 *pixels, size_t x, size_t y) {
    const Neighbours n = neighbours(rows, x, y);
    const u32 pixel = pixel_at(pixels, y * rows->width + x);
    int equal = at_edge(n, x, y) - 1; /* it is among its neighbours */
    for (size_t row = n.top; row <= n.bottom; row++)
        for (size_t column = n.left; column <= n.right; column++)
            equal += pixel == pixel_at(pixels, row * rows->width + column);
    return equal > 2;
}

static int in_flat_parts(const Rows *rows, size_t x, size_t y) {
    return has_many_siblings(rows, rows->source, x, y) &&
           has_many_siblings(rows, rows->target, x, y);
}

/* Whether a pixel of one of the images lies between darker and brighter ones, either of which is
 * in a flat part of both. V. Vysniauskas, Anti-aliased Pixel and Intensity Slope Detector, 2009. */
static int is_antialiased(const Rows *rows, const u8 *pixels, size_t x, size_t y) {
    const Neighbours n = neighbours(rows, x, y);
    const size_t at = y * rows->width + x;
    const u64 offset = 4 * (rows->above + at);
    double least = 0, most = 0;
    size_t darkest_x = 0, darkest_y = 0, brightest_x = 0, brightest_y = 0;
    int equal = at_edge(n, x, y);
    /* By columns, as the first one of equally bright neighbours is taken. */
    for (size_t column = n.left; column <= n.right; column++)
        for (size_t row = n.top; row <= n.bottom; row++) {
            const size_t beside = row * rows->width + column;
            if (beside == at) continue;
            const double difference =
                brightness(distance(pixels + 4 * at, pixels + 4 * beside, offset));
            if (difference == 0 && ++equal > 2) return 0;
            /* Without branches: nobody could predict them. */
            const int darker = difference < least, brighter = difference > most;
            least = darker ? difference : least;
            darkest_x = darker ? column : darkest_x;
            darkest_y = darker ? row : darkest_y;
            most = brighter ? difference : most;
            brightest_x = brighter ? column : brightest_x;
            brightest_y = brighter ? row : brightest_y;
        }
    return least < 0 && most > 0 &&
           (in_flat_parts(rows, darkest_x, darkest_y) ||
            in_flat_parts(rows, brightest_x, brightest_y));
}

/* Pixels that are looked at together. */
enum { BLOCK = 64 };

/* What is let pass. */
typedef struct {
    double limit;          /* as the square of a distance between colours */
    u8 allowed[4 * BLOCK]; /* as what samples may be apart; of alpha, nothing */
    int include_aa;
} Tolerance;

static int all_within(const u8 *restrict a, const u8 *restrict b, const u8 *restrict allowed) {
    u8 beyond = 0;
    for (size_t i = 0; i < 4 * BLOCK; i++) {
        const u8 apart = a[i] > b[i] ? a[i] - b[i] : b[i] - a[i];
        beyond |= apart > allowed[i];
    }
    return !beyond;
}

static int differs(const Rows *rows, const Tolerance *tolerance, size_t x, size_t y) {
    const size_t at = y * rows->width + x;
    const u64 offset = 4 * (rows->above + at);
    return colour_difference(rows->source + 4 * at, rows->target + 4 * at, offset) >
               tolerance->limit &&
           (tolerance->include_aa || !(is_antialiased(rows, rows->source, x, y) ||
                                       is_antialiased(rows, rows->target, x, y)));
}

static u64 count_row(const Rows *rows, const Tolerance *tolerance, size_t y) {
    const size_t width = rows->width;
    const u8 *source = rows->source + 4 * y * width, *target = rows->target + 4 * y * width;
    if (!memcmp(source, target, 4 * width)) return 0;
    u64 count = 0;
    for (size_t begin = 0; begin < width; begin += BLOCK) {
        const size_t end = width - begin < BLOCK ? width : begin + BLOCK;
        if (end - begin == BLOCK &&
            all_within(source + 4 * begin, target + 4 * begin, tolerance->allowed))
            continue;
        for (size_t x = begin; x < end; x++) count += differs(rows, tolerance, x, y) != 0;
    }
    return count;
}

/*
 * The pixels that are counted of the rows from begin to end.
 *
 * The limit is the square of the distance that is let pass. Where alpha is equal, no square is
 * above it unless R, G or B are more than allowed apart: nearly all pixels are let pass by that.
 */
EXPORT u64 pixelmatch(const u8 *source, const u8 *target, size_t width, size_t rows, u64 above,
                      size_t begin, size_t end, double limit, u8 allowed, int include_aa) {
    const Rows all = {source, target, width, rows, above};
    Tolerance tolerance = {.limit = limit, .include_aa = include_aa};
    for (size_t x = 0; x < BLOCK; x++) memset(tolerance.allowed + 4 * x, allowed, 3);
    u64 count = 0;
    for (size_t y = begin; y < end; y++) count += count_row(&all, &tolerance, y);
    return count;
}
