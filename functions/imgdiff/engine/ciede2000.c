/*
 * Colour differences as seen: CIEDE2000 with kL = kC = kH = 1, as in Sharma, Wu, Dalal, "The
 * CIEDE2000 Color-Difference Formula: Implementation Notes, Supplementary Test Data, and
 * Mathematical Observations", Color Research and Application 30 (2005).
 *
 * Hues are kept as directions instead of angles, so that few functions of angles are needed.
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

typedef struct {
    double l, a, b;
} Lab;

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

/* How near a chroma is to where blue begins to turn, 0 to 1. */
static double strength(double chroma) {
    const double c7 = chroma * square(chroma) * square(square(chroma));
    return sqrt(c7 / (c7 + 6103515625.0)); /* 25^7 */
}

static double of_lab(Lab one, Lab two) {
    const double chroma = (sqrt(square(one.a) + square(one.b)) + sqrt(square(two.a) + square(two.b))) / 2;
    const double stretch = 1.5 - 0.5 * strength(chroma);
    const double a1 = one.a * stretch, b1 = one.b, a2 = two.a * stretch, b2 = two.b;
    const double c1 = sqrt(square(a1) + square(b1)), c2 = sqrt(square(a2) + square(b2));

    const double mean_c = (c1 + c2) / 2;
    const double off_50 = square((one.l + two.l) / 2 - 50);
    const double dl = (two.l - one.l) / (1 + 0.015 * off_50 / sqrt(20 + off_50));
    const double dc = (c2 - c1) / (1 + 0.045 * mean_c);
    if (c1 * c2 == 0) {
        return sqrt(square(dl) + square(dc));
    }

    /* From one hue to the other: counterclockwise if the cross product is positive. Opposite ones
     * are told by their angles, from 0 to 360 degrees: the larger is in the lower half. */
    const double dot = a1 * a2 + b1 * b2, cross = a1 * b2 - b1 * a2;
    const int lower = b2 < 0 || (b2 == 0 && a2 < 0);
    const double turn = cross > 0 || (cross == 0 && lower) ? 1 : -1;
    /* Twice the root of c1 c2 times the sine of half the angle, and the direction midway, each from
     * what doesn't cancel out: a sum of the directions or their difference. */
    double dh, x, y;
    if (dot >= 0) {
        dh = cross / sqrt((c1 * c2 + dot) / 2);
        x = a1 * c2 + a2 * c1;
        y = b1 * c2 + b2 * c1;
    } else {
        dh = turn * sqrt(2 * (c1 * c2 - dot));
        x = turn * (b2 * c1 - b1 * c2);
        y = turn * (a1 * c2 - a2 * c1);
    }
    const double length = sqrt(square(x) + square(y));
    /* Of the mean hue, and of its multiples. */
    const double cos1 = x / length, sin1 = y / length;
    const double cos2 = 2 * square(cos1) - 1, sin2 = 2 * sin1 * cos1;
    const double cos3 = cos2 * cos1 - sin2 * sin1, sin3 = sin2 * cos1 + cos2 * sin1;
    const double cos4 = 2 * square(cos2) - 1, sin4 = 2 * sin2 * cos2;
    /* cos(h - 30), cos(2 h), cos(3 h + 6) and cos(4 h - 63), in degrees. */
    const double t = 1 - 0.17 * (cos1 * cos(RADIANS(30)) + sin1 * sin(RADIANS(30))) + 0.24 * cos2 +
                     0.32 * (cos3 * cos(RADIANS(6)) - sin3 * sin(RADIANS(6))) -
                     0.20 * (cos4 * cos(RADIANS(63)) + sin4 * sin(RADIANS(63)));
    dh /= 1 + 0.015 * mean_c * t;

    const double angle = DEGREES(atan2(sin1, cos1));
    const double hue = angle < 0 ? angle + 360 : angle;
    const double rotation = RADIANS(60) * exp(-square((hue - 275) / 25));
    const double term = -2 * strength(mean_c) * sin(rotation) * dc * dh;
    return sqrt(fmax(0, square(dl) + square(dc) + square(dh) + term));
}

/* Of what is above 0, to 14 digits: a third of the exponent, within 4 %, and Halley's steps. */
static double cube_root(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits = bits / 3 + 0x2a9f7893782da1ce;
    double root;
    memcpy(&root, &bits, sizeof root);
    for (int i = 0; i < 2; i++) {
        const double cube = root * root * root;
        root *= (cube + 2 * x) / (2 * cube + x);
    }
    return root;
}

static double compressed(double light) {
    return light > 0.008856 ? cube_root(light) : 7.787 * light + 16.0 / 116.0;
}

/* sRGB's primaries in XYZ, against its white, D65 as seen under 2 degrees. */
static Lab lab(const u8 *rgb, const double *linear) {
    const double r = linear[rgb[0]], g = linear[rgb[1]], b = linear[rgb[2]];
    const double x = compressed((0.412453 * r + 0.357580 * g + 0.180423 * b) / 0.95047);
    const double y = compressed(0.212671 * r + 0.715160 * g + 0.072169 * b);
    const double z = compressed((0.019334 * r + 0.119193 * g + 0.950227 * b) / 1.08883);
    return (Lab){116 * y - 16, 500 * (x - y), 200 * (y - z)};
}

EXPORT void ciede2000_of_lab(const Lab *one, const Lab *two, size_t pairs, double *differences) {
    for (size_t i = 0; i < pairs; i++) {
        differences[i] = of_lab(one[i], two[i]);
    }
}

EXPORT void ciede2000(const u8 *source, const u8 *target, size_t pixels, const double *linear,
                      Found *found) {
    u32 before[2] = {0};
    double difference = 0;
    for (size_t i = 0; i < 4 * pixels; i += 4) {
        u32 pair[2];
        memcpy(&pair[0], source + i, sizeof(u32));
        memcpy(&pair[1], target + i, sizeof(u32));
        if (pair[0] == pair[1]) {
            continue;
        }
        if (memcmp(pair, before, sizeof pair)) {
            difference = of_lab(lab(source + i, linear), lab(target + i, linear));
            memcpy(before, pair, sizeof pair);
        }
        const size_t step = (size_t)(difference * STEPS_PER_UNIT + 0.5);
        found->sum += difference;
        found->noticeable += difference > NOTICEABLE;
        found->histogram[step < STEPS ? step : STEPS - 1]++;
    }
}
