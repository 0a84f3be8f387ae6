/*
 * Regions of two images: changed pixels, grown by MARGIN in every direction, that touch, diagonally
 * too. Rows come from top to bottom, and only what reaches the last one is held: whatever the
 * images, no more regions than fit into two rows.
 *
 * Nothing here allocates. The caller (regions.py) guarantees that memory is of size_of_regions(width)
 * bytes, aligned as malloc does and zeroed, that begin_regions() is called once, and that rows are
 * packed and come in order, with MARGIN more above and below wherever the image has them.
 *
 * Labelling by runs, with what is known of a region gathered on the way: L. He, Y. Chao, K. Suzuki,
 * "A Run-Based Two-Scan Labeling Algorithm", IEEE Transactions on Image Processing 17 (2008).
 */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

typedef uint8_t u8;
typedef uint32_t u32;
typedef uint64_t u64;

enum { MARGIN = 4, LEAST = 16, MOST = 100 };
#define NOTHING UINT32_MAX

/* What is known of a region; regions.py has its twin. Samples are 8-bit R, G and B on white. */
typedef struct {
    u64 pixels, x, y; /* changed pixels, and the sums of their places */
    u64 squares;      /* of their premultiplied differences, in 255ths of a step */
    u64 area;         /* pixels of the grown region, of which the sums below are */
    u64 source[3], target[3], source_squares[3], target_squares[3], products[3];
    u32 left, top, right, bottom; /* half-open, around the changed pixels */
    u32 transparent;
    u32 row;  /* the last that it reaches */
    u32 next; /* what it has become part of, or the next one that is free */
} Region;

/* Neighbouring pixels of a grown row. */
typedef struct {
    u32 begin, end, region;
} Run;

typedef struct {
    u64 found;
    u32 kept;
    Region largest[MOST]; /* in no order */
    u32 width, free, used, above;
    u32 checked, last; /* rows that were looked at; behind the last of them that has changes */
} Regions;

/* Grown by MARGIN, each is wider than that, and between them is a gap. */
static size_t most_runs(size_t width) { return width / (MARGIN + 2) + 2; }

/* Behind a Regions there is room for live regions, for runs above and of this row, for the numbers
 * of regions that end, and for a row. */
static Region *live(Regions *r) { return (Region *)(r + 1); }
static Run *runs(Regions *r) { return (Run *)(live(r) + 2 * most_runs(r->width)); }
static u32 *ended(Regions *r) { return (u32 *)(runs(r) + 2 * most_runs(r->width)); }
static u8 *marks(Regions *r) { return (u8 *)(ended(r) + 2 * most_runs(r->width)); }

EXPORT size_t size_of_regions(u32 width) {
    return sizeof(Regions) + 2 * most_runs(width) * (sizeof(Region) + sizeof(Run) + sizeof(u32)) +
           width;
}

EXPORT void begin_regions(Regions *r, u32 width) {
    r->width = width;
    r->free = NOTHING;
}

static u32 open_region(Regions *r) {
    u32 index = r->free;
    if (index == NOTHING) index = r->used++;
    else r->free = live(r)[index].next;
    Region *region = &live(r)[index];
    memset(region, 0, sizeof *region);
    region->left = region->top = region->next = NOTHING;
    return index;
}

static u32 root(const Region *regions, u32 index) {
    while (regions[index].next != NOTHING) index = regions[index].next;
    return index;
}

static void join(Region *region, const Region *other) {
    region->pixels += other->pixels;
    region->x += other->x;
    region->y += other->y;
    region->squares += other->squares;
    region->area += other->area;
    for (int i = 0; i < 3; i++) {
        region->source[i] += other->source[i];
        region->target[i] += other->target[i];
        region->source_squares[i] += other->source_squares[i];
        region->target_squares[i] += other->target_squares[i];
        region->products[i] += other->products[i];
    }
    if (other->left < region->left) region->left = other->left;
    if (other->top < region->top) region->top = other->top;
    if (other->right > region->right) region->right = other->right;
    if (other->bottom > region->bottom) region->bottom = other->bottom;
    region->transparent |= other->transparent;
}

static u32 on_white(u32 sample, u32 alpha) {
    return 255 - ((255 - sample) * alpha + 127) / 255;
}

static void add_changed(Region *region, const u8 *s, const u8 *t, u32 x, u32 y) {
    region->pixels++;
    region->x += x;
    region->y += y;
    for (int i = 0; i < 4; i++) {
        const int64_t mine = (i < 3 ? s[i] : 255) * s[3], theirs = (i < 3 ? t[i] : 255) * t[3];
        region->squares += (u64)((mine - theirs) * (mine - theirs));
    }
    region->transparent |= (s[3] & t[3]) != 255;
    if (x < region->left) region->left = x;
    if (y < region->top) region->top = y;
    if (x >= region->right) region->right = x + 1;
    region->bottom = y + 1;
}

static void add_run(Region *region, const Run *run, const u8 *source, const u8 *target,
                    const u8 *changed, u32 y) {
    region->area += run->end - run->begin;
    region->row = y;
    for (u32 x = run->begin; x < run->end; x++) {
        const u8 *s = source + 4 * (size_t)x, *t = target + 4 * (size_t)x;
        for (int i = 0; i < 3; i++) {
            const u32 mine = on_white(s[i], s[3]), theirs = on_white(t[i], t[3]);
            region->source[i] += mine;
            region->target[i] += theirs;
            region->source_squares[i] += mine * mine;
            region->target_squares[i] += theirs * theirs;
            region->products[i] += mine * theirs;
        }
        if (changed[x]) add_changed(region, s, t, x, y);
    }
}

/* A region is whole: keep it if it is one of the largest. */
static void keep(Regions *r, const Region *region) {
    if (region->pixels < LEAST) return;
    r->found++;
    if (r->kept < MOST) {
        r->largest[r->kept++] = *region;
        return;
    }
    u32 least = 0;
    for (u32 i = 1; i < MOST; i++)
        if (r->largest[i].pixels < r->largest[least].pixels) least = i;
    if (region->pixels > r->largest[least].pixels) r->largest[least] = *region;
}

/* The runs of a row of marks, grown to either side. */
static u32 find_runs(const u8 *marks, u32 width, Run *found) {
    u32 count = 0;
    for (u32 x = 0; x < width; x++) {
        const u8 *mark = marks[x] ? marks + x : memchr(marks + x, 1, width - x);
        if (!mark) break;
        x = (u32)(mark - marks);
        const u32 begin = x < MARGIN ? 0 : x - MARGIN;
        const u32 end = width - x <= MARGIN ? width : x + MARGIN + 1;
        if (count && begin <= found[count - 1].end) found[count - 1].end = end;
        else found[count++] = (Run){begin, end, NOTHING};
    }
    return count;
}

/* Take up a row's runs: those that touch runs above belong to the same region. */
static void add_row(Regions *r, const u8 *source, const u8 *target, const u8 *changed, u32 y,
                    u32 count) {
    Region *regions = live(r);
    Run *above = runs(r), *these = above + most_runs(r->width);
    u32 *gone = ended(r), many = 0, first = 0;
    for (u32 i = 0; i < count; i++) {
        Run *run = &these[i];
        while (first < r->above && above[first].end < run->begin) first++;
        for (u32 j = first; j < r->above && above[j].begin <= run->end; j++) {
            const u32 other = root(regions, above[j].region);
            if (run->region == NOTHING) run->region = other;
            else if (other != run->region) {
                join(&regions[run->region], &regions[other]);
                regions[other].next = run->region;
                gone[many++] = other;
            }
        }
        if (run->region == NOTHING) run->region = open_region(r);
        add_run(&regions[run->region], run, source, target, changed, y);
    }
    for (u32 i = 0; i < count; i++) these[i].region = root(regions, these[i].region);
    for (u32 j = 0; j < r->above; j++) {
        const u32 index = root(regions, above[j].region);
        if (regions[index].row == y) continue;
        regions[index].row = y;
        keep(r, &regions[index]);
        gone[many++] = index;
    }
    while (many) {
        regions[gone[--many]].next = r->free;
        r->free = gone[many];
    }
    memcpy(above, these, count * sizeof(Run));
    r->above = count;
}

/*
 * Take up rows `begin` to `end` of a window of `rows`, the first of which is the image's row `top`.
 * `source` and `target` are RGBA, `changed` has 1 for every pixel that has changed, else 0.
 */
EXPORT void add_regions(Regions *r, const u8 *source, const u8 *target, const u8 *changed, u32 top,
                        u32 begin, u32 end, u32 rows) {
    const size_t width = r->width;
    for (u32 i = begin; i < end; i++) {
        const u32 y = top + i;
        const u32 low = i < MARGIN ? 0 : i - MARGIN;
        const u32 high = rows - i <= MARGIN ? rows : i + MARGIN + 1;
        for (; r->checked < top + high; r->checked++)
            if (memchr(changed + (r->checked - top) * width, 1, width)) r->last = r->checked + 1;
        u32 count = 0;
        if (r->last && r->last + MARGIN > y) {
            u8 *mark = marks(r);
            memset(mark, 0, width);
            for (u32 j = low; j < high; j++)
                for (size_t x = 0; x < width; x++) mark[x] |= changed[j * width + x];
            count = find_runs(mark, r->width, runs(r) + most_runs(width));
        }
        if (count || r->above)
            add_row(r, source + 4 * i * width, target + 4 * i * width, changed + i * width, y, count);
    }
}

/* There are no more rows. */
EXPORT void end_regions(Regions *r) { add_row(r, NULL, NULL, NULL, NOTHING, 0); }
