/*
 * Structural similarity: Wang, Bovik, Sheikh, Simoncelli, "Image Quality Assessment: From Error
 * Visibility to Structural Similarity", IEEE Transactions on Image Processing 13 (2004).
 *
 * Everything that is asked of two planes x and y is in four filtered ones: s = x + y, d = x - y and
 * their squares. Where d is 0 the similarity is 1, exactly.
 *
 * Stateless: the caller (ssim.py) gives packed rows, with the five above and the five below those
 * whose windows are asked for, and the filter's weights from its centre on.
 */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#define EXPORT __attribute__((visibility("default")))

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;

/* Windows are of 11 by 11 pixels. Columns are taken so many at a time that what is filtered of
 * them stays in a core's first-level cache. */
enum { RADIUS = 5, TAPS = 2 * RADIUS + 1, COLUMNS = 64, REACH = COLUMNS + 2 * RADIUS };

/* Rows of the four planes, one behind the other. */
enum { SUM, DIFFERENCE, SUM_SQUARED, DIFFERENCE_SQUARED, PLANES };

typedef double Planes[PLANES * REACH];

INLINE double *plane(double *planes, size_t which) { return planes + which * REACH; }

INLINE void load(double *planes, const u16 *source, const u16 *target, size_t reach) {
    for (size_t x = 0; x < reach; x++) {
        const double s = (double)(source[x] + target[x]), d = (double)(source[x] - target[x]);
        plane(planes, SUM)[x] = s;
        plane(planes, DIFFERENCE)[x] = d;
        plane(planes, SUM_SQUARED)[x] = s * s;
        plane(planes, DIFFERENCE_SQUARED)[x] = d * d;
    }
}

/* Filter down the columns; row[i] is the i-th of those that a window has. */
INLINE void down(double *restrict out, double *const row[TAPS], const double *weights) {
    for (size_t x = 0; x < PLANES * REACH; x++) {
        double sum = weights[0] * row[RADIUS][x];
        for (size_t i = 1; i <= RADIUS; i++) {
            sum += weights[i] * (row[RADIUS - i][x] + row[RADIUS + i][x]);
        }
        out[x] = sum;
    }
}

/* Filter along the row; windows[x] is of the window that begins at x. */
INLINE void along(double *restrict windows, const double *row, const double *weights) {
    for (size_t x = 0; x < COLUMNS; x++) {
        double sum = weights[0] * row[x + RADIUS];
        for (size_t i = 1; i <= RADIUS; i++) {
            sum += weights[i] * (row[x + RADIUS - i] + row[x + RADIUS + i]);
        }
        windows[x] = sum;
    }
}

/* With v for variance, the luminance term is (s^2 - d^2 + 2 c1) / (s^2 + d^2 + 2 c1), and that of
 * contrast and structure (v(s) - v(d) + 2 c2) / (v(s) + v(d) + 2 c2). */
INLINE void lack(double *restrict out, double windows[PLANES][COLUMNS], double c1, double c2,
                 int luminance) {
    for (size_t x = 0; x < COLUMNS; x++) {
        const double ss = windows[SUM][x] * windows[SUM][x];
        const double dd = windows[DIFFERENCE][x] * windows[DIFFERENCE][x];
        const double vs = windows[SUM_SQUARED][x] - ss;
        const double vd = windows[DIFFERENCE_SQUARED][x] - dd;
        double above = vs - vd + 2 * c2, below = vs + vd + 2 * c2;
        if (luminance) {
            above *= ss - dd + 2 * c1;
            below *= ss + dd + 2 * c1;
        }
        out[x] = (below - above) / below;
    }
}

/* Columns of the planes that are worked on together. */
typedef struct {
    const u16 *source, *target; /* their first row */
    const u8 *counted;          /* of the first window's centre, or NULL */
    size_t width, rows;         /* of the planes */
    size_t windows;             /* how many side by side */
} Tile;

INLINE double tile_lack(const Tile *tile, const double *weights, double c1, double c2, int luminance) {
    const size_t reach = tile->windows + 2 * RADIUS;
    Planes loaded[TAPS] = {{0}}, sums;
    double windows[PLANES][COLUMNS], row_lack[COLUMNS], column_lack[COLUMNS] = {0};
    size_t equal = 0; /* rows, up to the one at hand */
    size_t next = 0;  /* row to load */
    for (size_t y = 0; y < tile->rows; y++) {
        const size_t at = y * tile->width;
        const int same = !memcmp(tile->source + at, tile->target + at, reach * sizeof(u16));
        equal = same ? equal + 1 : 0;
        if (y + 1 < TAPS || equal >= TAPS) {
            continue;
        }
        const size_t top = y + 1 - TAPS;
        for (next = next > top ? next : top; next <= y; next++) {
            const size_t from = next * tile->width;
            load(loaded[next % TAPS], tile->source + from, tile->target + from, reach);
        }
        double *rows[TAPS];
        for (size_t i = 0; i < TAPS; i++) {
            rows[i] = loaded[(top + i) % TAPS];
        }
        down(sums, rows, weights);
        for (size_t i = 0; i < PLANES; i++) {
            along(windows[i], plane(sums, i), weights);
        }
        lack(row_lack, windows, c1, c2, luminance);
        const u8 *counted = tile->counted ? tile->counted + top * tile->width : NULL;
        for (size_t x = 0; x < tile->windows; x++) {
            column_lack[x] += counted ? row_lack[x] * counted[x] : row_lack[x];
        }
    }
    double sum = 0;
    for (size_t x = 0; x < tile->windows; x++) {
        sum += column_lack[x];
    }
    return sum;
}

/* What all windows that count lack of a similarity of 1, together. `counted` is of the windows'
 * centres and as wide as the planes; NULL where all count. */
EXPORT double ssim_lack(const u16 *source, const u16 *target, const u8 *counted, size_t width,
                        size_t rows, const double *weights, double c1, double c2, int luminance) {
    double sum = 0;
    for (size_t left = 0; left + 2 * RADIUS < width; left += COLUMNS) {
        const size_t windows = width - left - 2 * RADIUS;
        const Tile tile = {source + left,
                           target + left,
                           counted ? counted + left + RADIUS : NULL,
                           width,
                           rows,
                           windows < COLUMNS ? windows : COLUMNS};
        sum += luminance ? tile_lack(&tile, weights, c1, c2, 1)
                         : tile_lack(&tile, weights, c1, c2, 0);
    }
    return sum;
}
