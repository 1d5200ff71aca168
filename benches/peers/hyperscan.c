/* Hyperscan (or Vectorscan, the same API) and a hash of exact texts on the rules and messages of `cargo bench --bench matching`.
 *
 *   cc -O3 -march=native hyperscan.c -lhs -o hyperscan && ./hyperscan DIR
 *
 * DIR/rules has one rule a line: its kind (k keyword, e exact text, r regex), a space, the pattern. DIR/messages has one
 * message a line. Once all is compiled, a line `ready NANOSECONDS BYTES` says how long that took and how large the database
 * is. Then each line on standard input is one pass over all messages, answered by its nanoseconds; the first pass is over
 * messages never seen before. At the end of input DIR/ids is written: the ids found in each message, ascending, a line each.
 *
 * Keywords and exact texts come in normal form. What this corpus needs of that form is done here as cheaply as can be:
 * ASCII case is ignored, and a closing `。` or ASCII mark is dropped for exact texts.
 */
#include <ctype.h>
#include <hs/hs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_LINE = 1 << 16, MAX_HITS = 1 << 16 };

static void die(const char *what)
{
    fprintf(stderr, "hyperscan: %s\n", what);
    exit(2);
}

static void *take(size_t bytes)
{
    void *memory = calloc(1, bytes ? bytes : 1);
    if (!memory)
        die("out of memory");
    return memory;
}

struct text {
    char *bytes;
    uint32_t len;
};

struct lines {
    struct text *at;
    uint32_t count;
};

static struct lines read_lines(const char *folder, const char *name)
{
    static char line[MAX_LINE];
    snprintf(line, sizeof line, "%s/%s", folder, name);
    FILE *file = fopen(line, "r");
    if (!file)
        die("a file of the corpus can't be read");
    struct lines lines = {0};
    uint32_t room = 0;
    while (fgets(line, sizeof line, file)) {
        if (lines.count == room) {
            room = room ? room * 2 : 1024;
            lines.at = realloc(lines.at, room * sizeof *lines.at);
            if (!lines.at)
                die("out of memory");
        }
        uint32_t len = (uint32_t)strcspn(line, "\n");
        char *bytes = take(len + 1);
        memcpy(bytes, line, len);
        lines.at[lines.count++] = (struct text){bytes, len};
    }
    fclose(file);
    return lines;
}

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* What the callback must look at again: Latin keywords are words. By rule id; 0 for all others. */
static uint32_t *word_len;

struct search {
    const unsigned char *text;
    uint32_t len, count;
    uint32_t ids[MAX_HITS];
};

static int on_match(unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void *context)
{
    struct search *search = context;
    (void)from, (void)flags;
    uint32_t len = word_len[id];
    if (len) {
        size_t start = (size_t)to - len;
        int free_before = start == 0 || !isalnum(search->text[start]) || !isalnum(search->text[start - 1]);
        int free_after = to == search->len || !isalnum(search->text[to - 1]) || !isalnum(search->text[to]);
        if (!free_before || !free_after)
            return 0;
        for (uint32_t i = 0; i < search->count; i++)
            if (search->ids[i] == id)
                return 0;
    }
    if (search->count < MAX_HITS)
        search->ids[search->count++] = id;
    return 0;
}

/* Exact texts: open addressing, the rules of equal texts in a chain. */
static struct text *exact_of;
static uint32_t *slots, *same_text, slot_mask, longest_exact;

static uint32_t hash(const char *bytes, uint32_t len)
{
    uint64_t h = 0xcbf29ce484222325u ^ len;
    for (; len >= 8; bytes += 8, len -= 8) {
        uint64_t word;
        memcpy(&word, bytes, 8);
        h = (h ^ word) * 0x9e3779b97f4a7c15u;
        h ^= h >> 32;
    }
    uint64_t word = 0;
    memcpy(&word, bytes, len);
    h = (h ^ word) * 0x9e3779b97f4a7c15u;
    return (uint32_t)(h >> 32);
}

static uint32_t *exact_slot(const char *bytes, uint32_t len)
{
    for (uint32_t at = hash(bytes, len) & slot_mask;; at = (at + 1) & slot_mask) {
        if (!slots[at])
            return &slots[at];
        const struct text *other = &exact_of[slots[at] - 1];
        if (other->len == len && !memcmp(other->bytes, bytes, len))
            return &slots[at];
    }
}

static void find_exact(struct search *search)
{
    static char lower[MAX_LINE];
    uint32_t len = search->len;
    while (len) {
        if (len >= 3 && !memcmp(search->text + len - 3, "\xe3\x80\x82", 3))
            len -= 3;
        else if (strchr(" .!?~,;:", search->text[len - 1]))
            len--;
        else
            break;
    }
    if (len > longest_exact)
        return;
    for (uint32_t i = 0; i < len; i++)
        lower[i] = (char)(search->text[i] + (search->text[i] >= 'A' && search->text[i] <= 'Z' ? 32 : 0));
    for (uint32_t id = *exact_slot(lower, len); id && search->count < MAX_HITS; id = same_text[id - 1])
        search->ids[search->count++] = id - 1;
}

static void sort(uint32_t *ids, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        uint32_t id = ids[i], at = i;
        for (; at && ids[at - 1] > id; at--)
            ids[at] = ids[at - 1];
        ids[at] = id;
    }
}

static hs_database_t *database;
static hs_scratch_t *scratch;

static void find(struct search *search, const struct text *message)
{
    search->text = (const unsigned char *)message->bytes;
    search->len = message->len;
    search->count = 0;
    if (database && hs_scan(database, message->bytes, message->len, 0, scratch, on_match, search) != HS_SUCCESS)
        die("a scan failed");
    find_exact(search);
    sort(search->ids, search->count);
}

static char *escaped(const char *bytes, uint32_t len)
{
    char *pattern = take(2 * (size_t)len + 1), *out = pattern;
    for (uint32_t i = 0; i < len; i++) {
        if ((unsigned char)bytes[i] < 0x80 && !isalnum((unsigned char)bytes[i]))
            *out++ = '\\';
        *out++ = bytes[i];
    }
    return pattern;
}

static void compile(const struct lines *rules)
{
    const char **patterns = take(rules->count * sizeof *patterns);
    unsigned *flags = take(rules->count * sizeof *flags), *ids = take(rules->count * sizeof *ids), count = 0;
    word_len = take(rules->count * sizeof *word_len);
    exact_of = take(rules->count * sizeof *exact_of);
    same_text = take(rules->count * sizeof *same_text);
    slot_mask = 1024;
    while (slot_mask < 2 * rules->count)
        slot_mask *= 2;
    slots = take(slot_mask * sizeof *slots);
    slot_mask--;
    for (uint32_t id = 0; id < rules->count; id++) {
        char kind = rules->at[id].bytes[0], *text = rules->at[id].bytes + 2;
        uint32_t len = rules->at[id].len - 2;
        if (kind == 'e') {
            exact_of[id] = (struct text){text, len};
            uint32_t *slot = exact_slot(text, len);
            same_text[id] = *slot;
            *slot = id + 1;
            longest_exact = len > longest_exact ? len : longest_exact;
            continue;
        }
        int latin = kind == 'k' && (isalnum((unsigned char)text[0]) || isalnum((unsigned char)text[len - 1]));
        word_len[id] = latin ? len : 0;
        patterns[count] = kind == 'k' ? escaped(text, len) : text;
        flags[count] = HS_FLAG_UTF8 | (kind == 'k' ? HS_FLAG_CASELESS : 0) | (latin ? 0 : HS_FLAG_SINGLEMATCH);
        ids[count++] = id;
    }
    hs_compile_error_t *error;
    if (count && hs_compile_multi(patterns, flags, ids, count, HS_MODE_BLOCK, NULL, &database, &error) != HS_SUCCESS)
        die(error->message);
    if (database && hs_alloc_scratch(database, &scratch) != HS_SUCCESS)
        die("out of memory");
}

int main(int argc, char **argv)
{
    if (argc != 2)
        die("usage: hyperscan DIR");
    struct lines rules = read_lines(argv[1], "rules"), messages = read_lines(argv[1], "messages");
    uint64_t start = now();
    compile(&rules);
    uint64_t build = now() - start;
    size_t bytes = 0;
    if (database)
        hs_database_size(database, &bytes);
    printf("ready %llu %zu\n", (unsigned long long)build, bytes);
    fflush(stdout);

    static struct search search;
    char line[64];
    volatile uint32_t found = 0;
    while (fgets(line, sizeof line, stdin)) {
        start = now();
        for (uint32_t i = 0; i < messages.count; i++) {
            find(&search, &messages.at[i]);
            found += search.count;
        }
        printf("%llu\n", (unsigned long long)(now() - start));
        fflush(stdout);
    }

    static char path[MAX_LINE];
    snprintf(path, sizeof path, "%s/ids", argv[1]);
    FILE *file = fopen(path, "w");
    if (!file)
        die("the ids can't be written");
    for (uint32_t i = 0; i < messages.count; i++) {
        find(&search, &messages.at[i]);
        for (uint32_t n = 0; n < search.count; n++)
            fprintf(file, "%s%u", n ? " " : "", search.ids[n]);
        fputc('\n', file);
    }
    return fclose(file) ? 2 : 0;
}
