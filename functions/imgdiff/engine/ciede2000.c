/*
 * Colour differences as seen: CIEDE2000 with kL = kC = kH = 1, as in Sharma, Wu, Dalal, "The
 * CIEDE2000 Color-Difference Formula: Implementation Notes, Supplementary Test Data, and
 * Mathematical Observations", Color Research and Application 30 (2005).
 *
 * Hues are kept as directions instead of angles: what is asked of angles is then, but for one arc
 * tangent, arithmetic of which compilers make vector code, for either architecture.
 *
 * Stateless: the caller (ciede2000.py) gives packed RGBA that is laid on white, the linear light
 * of each sample, and what has been found so far.
 */

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

typedef uint8_t u8;
typedef uint32_t u32;

/* As many pairs of colours as are worked on together, in planes of which vectors can be made. */
enum { PAIRS = 64 };

/* L*, a* and b*; before that, linear R, G and B. */
typedef struct {
    double l[PAIRS], a[PAIRS], b[PAIRS];
} Colours;

typedef struct {
    size_t pairs;
    Colours one, two;
    u32 times[PAIRS]; /* how often a pair comes, one time after another */
} Block;

/* What has been found so far; ciede2000.py has its twin. */
enum { STEPS_PER_UNIT = 1024, STEPS = 128 * STEPS_PER_UNIT };

typedef struct {
    double sum;
    u32 noticeable;
    u32 histogram[STEPS]; /* of differences above 0, to the nearest step */
} Found;

static const double NOTICEABLE = 2.3;

#define RADIANS(degrees) ((degrees) * 0x1.1df46a2529d39p-6)
#define DEGREES(radians) ((radians) * 0x1.ca5dc1a63c1f8p+5)

static double square(double x) { return x * x; }

/* Unlike `sqrt`, it has no error to tell, which would keep loops from becoming vector code. */
static double root(double x) { return __builtin_elementwise_sqrt(x); }

static double length(double x, double y) { return root(x * x + y * y); }

static void put(Colours *colours, size_t i, double l, double a, double b) {
    colours->l[i] = l;
    colours->a[i] = a;
    colours->b[i] = b;
}

/* How near a chroma is to where blue begins to turn, 0 to 1. */
static double strength(double chroma) {
    const double c7 = chroma * square(chroma) * square(square(chroma));
    return root(c7 / (c7 + 6103515625.0)); /* 25^7 */
}

/* Differences of all pairs of a block, made of whatever lies behind the last. */
static void compare(const Block *block, double *differences) {
    double dl[PAIRS], dc[PAIRS], dh[PAIRS], cosine[PAIRS], sine[PAIRS], turned[PAIRS];
    const Colours *one = &block->one, *two = &block->two;
    for (size_t i = 0; i < PAIRS; i++) {
        const double chroma = (length(one->a[i], one->b[i]) + length(two->a[i], two->b[i])) / 2;
        const double stretch = 1.5 - 0.5 * strength(chroma);
        const double a1 = one->a[i] * stretch, b1 = one->b[i];
        const double a2 = two->a[i] * stretch, b2 = two->b[i];
        const double c1 = length(a1, b1), c2 = length(a2, b2), mean_c = (c1 + c2) / 2;
        const double off_50 = square((one->l[i] + two->l[i]) / 2 - 50);
        dl[i] = (two->l[i] - one->l[i]) / (1 + 0.015 * off_50 / root(20 + off_50));
        dc[i] = (c2 - c1) / (1 + 0.045 * mean_c);
        turned[i] = -2 * strength(mean_c);

        /* From one hue to the other: counterclockwise if the cross product is positive. Opposite
         * ones are told by their angles, from 0 to 360 degrees: the larger is in the lower half. */
        const double dot = a1 * a2 + b1 * b2, cross = a1 * b2 - b1 * a2;
        const int lower = (b2 < 0) | ((b2 == 0) & (a2 < 0));
        const double turn = (cross > 0) | ((cross == 0) & lower) ? 1 : -1;
        /* Twice the root of c1 c2 times the sine of half the angle, and the direction midway. Each
         * is made of what doesn't cancel out: the sum of the directions or their difference. */
        const int near = dot >= 0;
        const double half = root((c1 * c2 + fabs(dot)) / 2);
        const double x = near ? a1 * c2 + a2 * c1 : turn * (b2 * c1 - b1 * c2);
        const double y = near ? b1 * c2 + b2 * c1 : turn * (a1 * c2 - a2 * c1);
        const double norm = length(x, y);
        /* Of the mean hue, and of its multiples; greys have no hue. */
        const double cos1 = norm > 0 ? x / norm : 1, sin1 = norm > 0 ? y / norm : 0;
        const double cos2 = 2 * square(cos1) - 1, sin2 = 2 * sin1 * cos1;
        const double cos3 = cos2 * cos1 - sin2 * sin1, sin3 = sin2 * cos1 + cos2 * sin1;
        const double cos4 = 2 * square(cos2) - 1, sin4 = 2 * sin2 * cos2;
        /* cos(h - 30), cos(2 h), cos(3 h + 6) and cos(4 h - 63), in degrees. */
        const double t = 1 - 0.17 * (cos1 * cos(RADIANS(30)) + sin1 * sin(RADIANS(30))) +
                         0.24 * cos2 +
                         0.32 * (cos3 * cos(RADIANS(6)) - sin3 * sin(RADIANS(6))) -
                         0.20 * (cos4 * cos(RADIANS(63)) + sin4 * sin(RADIANS(63)));
        const double apart = near ? (half > 0 ? cross / half : 0) : 2 * turn * half;
        dh[i] = apart / (1 + 0.015 * mean_c * t);
        cosine[i] = cos1;
        sine[i] = sin1;
    }
    for (size_t i = 0; i < block->pairs; i++) {
        if (sine[i] > 0 && cosine[i] > -0.5) {
            /* Below 120 degrees the exponential is nothing beside 1. */
            turned[i] = 0;
            continue;
        }
        const double angle = DEGREES(atan2(sine[i], cosine[i]));
        const double hue = angle < 0 ? angle + 360 : angle;
        turned[i] *= sin(RADIANS(60) * exp(-square((hue - 275) / 25)));
    }
    for (size_t i = 0; i < PAIRS; i++) {
        const double sum =
            square(dl[i]) + square(dc[i]) + square(dh[i]) + turned[i] * dc[i] * dh[i];
        differences[i] = root(sum > 0 ? sum : 0);
    }
}

/* Of what is above 0, to 13 digits: a third of the exponent, within 4 %, and Halley's steps. */
static double cube_root(double x) {
    const float narrow = (float)x;
    u32 bits;
    memcpy(&bits, &narrow, sizeof bits);
    bits = bits / 3 + 0x2a514067;
    float third;
    memcpy(&third, &bits, sizeof third);
    double y = (double)third;
    for (int i = 0; i < 2; i++) {
        const double cube = y * y * y;
        y *= (cube + 2 * x) / (2 * cube + x);
    }
    return y;
}

static double compressed(double light) {
    const double curved = cube_root(light);
    return light > 0.008856 ? curved : 7.787 * light + 16.0 / 116.0;
}

/* From linear light: sRGB's primaries in XYZ, against its white, D65 as seen under 2 degrees. */
static void to_lab(Colours *colours) {
    for (size_t i = 0; i < PAIRS; i++) {
        const double r = colours->l[i], g = colours->a[i], b = colours->b[i];
        const double x = compressed((0.412453 * r + 0.357580 * g + 0.180423 * b) / 0.95047);
        const double y = compressed(0.212671 * r + 0.715160 * g + 0.072169 * b);
        const double z = compressed((0.019334 * r + 0.119193 * g + 0.950227 * b) / 1.08883);
        colours->l[i] = 116 * y - 16;
        colours->a[i] = 500 * (x - y);
        colours->b[i] = 200 * (y - z);
    }
}

EXPORT void ciede2000_of_lab(const double (*one)[3], const double (*two)[3], size_t pairs,
                             double *differences) {
    Block block = {0};
    double found[PAIRS];
    for (size_t from = 0; from < pairs; from += PAIRS) {
        block.pairs = pairs - from < PAIRS ? pairs - from : PAIRS;
        for (size_t i = 0; i < block.pairs; i++) {
            put(&block.one, i, one[from + i][0], one[from + i][1], one[from + i][2]);
            put(&block.two, i, two[from + i][0], two[from + i][1], two[from + i][2]);
        }
        compare(&block, found);
        memcpy(differences + from, found, block.pairs * sizeof(double));
    }
}

static void add(Found *found, Block *block) {
    double differences[PAIRS];
    to_lab(&block->one);
    to_lab(&block->two);
    compare(block, differences);
    for (size_t i = 0; i < block->pairs; i++) {
        const size_t step = (size_t)(differences[i] * STEPS_PER_UNIT + 0.5);
        found->sum += differences[i] * block->times[i];
        found->noticeable += differences[i] > NOTICEABLE ? block->times[i] : 0;
        found->histogram[step < STEPS ? step : STEPS - 1] += block->times[i];
    }
    block->pairs = 0;
}

EXPORT void ciede2000(const u8 *source, const u8 *target, size_t pixels, const double *linear,
                      Found *found) {
    Block block = {0};
    u32 before[2] = {0};
    for (size_t i = 0; i < 4 * pixels; i += 4) {
        const u8 *one = source + i, *two = target + i;
        u32 pair[2];
        memcpy(&pair[0], one, sizeof(u32));
        memcpy(&pair[1], two, sizeof(u32));
        if (pair[0] == pair[1]) {
            continue;
        }
        if (block.pairs && !memcmp(pair, before, sizeof pair)) {
            block.times[block.pairs - 1]++;
            continue;
        }
        if (block.pairs == PAIRS) {
            add(found, &block);
        }
        put(&block.one, block.pairs, linear[one[0]], linear[one[1]], linear[one[2]]);
        put(&block.two, block.pairs, linear[two[0]], linear[two[1]], linear[two[2]]);
        block.times[block.pairs++] = 1;
        memcpy(before, pair, sizeof pair);
    }
    add(found, &block);
}
