//! Which of many strings a text holds, in one pass over the text, however many there are.
//!
//! Each string is known by one *pair* of neighbouring characters in it: the one that is rarest among all strings. A
//! filter of two bits a pair says of nearly every pair of the text that no string is known by it, a second one says of most
//! others that no such string has what stands next to them here, both without leaving the processor's near caches; an
//! automaton of all strings looks up each character in tables of megabytes. Where many strings would share a pair, as
//! Latin words do, each is known by *four* neighbours. Those that share even these lie sorted, so that thousands of them
//! (product codes) cost a binary search and no loop.

use super::index;

/// Strings of at least one character, each known by its index.
#[derive(Debug, Default)]
pub(super) struct Strings {
    filter: Filter,
    /// What stands next to the pair in each string.
    contexts: Filter,
    /// Open addressing by key; a power of two, a third of it free or more.
    slots: Box<[Slot]>,
    /// Those that are one character long, sorted.
    singles: Box<[(char, u32)]>,
    single_filter: SingleFilter,
    /// From 1 on, by key, place of the neighbours, length, characters: the [`HEADER`] and the characters of each string, back to back, so
    /// that to look at one is to look at one place.
    records: Box<[u32]>,
}

/// The strings known by some neighbours.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    /// Of the neighbours. Different ones may have one key: a string is compared in full.
    key: u32,
    /// Where its records start, 0 when there are none; with [`WIDE`] when this is a pair with which known fours begin.
    records: u32,
}

const WIDE: u32 = 1 << 31;
/// The most strings that are known by one pair, where longer neighbours can tell them apart.
const CROWD: u32 = 4;

/// A record begins with an [`Entry`] but for where its characters start: they follow. The last of a slot has [`LAST`] in
/// its number of those alike.
const HEADER: usize = 4;
const LAST: u32 = 1 << 31;

/// A string before it is a record.
#[derive(Clone, Copy, Debug)]
struct Entry {
    string: u32,
    /// Where its characters start.
    start: u32,
    len: u32,
    /// How many of them stand before the neighbours.
    before: u32,
    /// How many entries from here on have the same key at the same place, and the same length.
    alike: u32,
}

/// Where a string was found, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) string: u32,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Strings {
    /// An empty one is never found.
    pub(super) fn new<'s>(strings: impl IntoIterator<Item = &'s str>) -> Self {
        let mut chars = Vec::new();
        let mut singles = Vec::new();
        let mut entries = Vec::new();
        for (string, text) in (0..).zip(strings) {
            let start = chars.len();
            chars.extend(text.chars());
            match chars[start..] {
                [] => {}
                [c] => singles.push((c, string)),
                _ => entries.push(Entry {
                    string,
                    start: index(start),
                    len: index(chars.len() - start),
                    before: 0,
                    alike: 1,
                }),
            }
        }
        singles.sort_unstable();
        let Known { mut entries, pairs } = Known::new(entries, &chars);
        let shape = |(key, entry): &(u32, Entry)| (*key, entry.before, entry.len);
        entries.sort_unstable_by(|a, b| {
            let texts = || a.1.text(&chars).cmp(b.1.text(&chars));
            let strings = || a.1.string.cmp(&b.1.string);
            shape(a).cmp(&shape(b)).then_with(texts).then_with(strings)
        });
        for at in (1..entries.len()).rev() {
            if shape(&entries[at - 1]) == shape(&entries[at]) {
                entries[at - 1].1.alike = entries[at].1.alike + 1;
            }
        }
        Self {
            filter: Filter::new(pairs.len(), pairs.iter().map(|(hash, _)| *hash)),
            contexts: Filter::new(
                entries.len(),
                entries.iter().map(|(_, entry)| entry.context(&chars)),
            ),
            slots: slots(&entries, &pairs),
            records: records(&entries, &chars),
            single_filter: SingleFilter::new(&singles),
            singles: singles.into(),
        }
    }

    /// Tells of every occurrence of every string, overlapping ones too, in no particular order.
    pub(super) fn find(&self, text: &[char], mut found: impl FnMut(Found)) {
        if !self.singles.is_empty() {
            for (at, &c) in text.iter().enumerate() {
                if self.single_filter.may_hold(c) {
                    self.find_single(c, at, &mut found);
                }
            }
        }
        if self.slots.is_empty() || text.is_empty() {
            return;
        }
        for start in (0..text.len() - 1).step_by(BATCH) {
            self.find_batch(text, start, &mut found);
        }
    }

    /// Looks at a batch of pairs from `start` on. Each look-up waits for memory, so those of several pairs are begun before
    /// the first is needed.
    fn find_batch(&self, text: &[char], start: usize, found: &mut impl FnMut(Found)) {
        let mut known = 0_u32;
        for (n, pair) in text[start..].windows(2).take(BATCH).enumerate() {
            known |= u32::from(self.filter.may_hold(pair_hash(pair[0], pair[1]))) << n;
        }
        let mask = self.slots.len() - 1;
        while known != 0 {
            let (mut hits, mut count) = ([(0, 0, Slot::default()); AHEAD], 0);
            while known != 0 && count < AHEAD {
                let at = start + known.trailing_zeros() as usize;
                known &= known - 1;
                let hash = pair_hash(text[at], text[at + 1]);
                if self.may_be_around(text, at, hash) {
                    hits[count] = (at, hash, self.slots[slot_of(key(hash), mask)]);
                    count += 1;
                }
            }
            for &(at, hash, slot) in &hits[..count] {
                self.find_pair(text, at, hash, slot, found);
            }
        }
    }

    /// Whether some string may be known by the pair at `at` and have what stands next to it.
    fn may_be_around(&self, text: &[char], at: usize, pair: u64) -> bool {
        let next = |c: &char| self.contexts.may_hold(next_hash(pair, *c));
        let previous = |c: &char| self.contexts.may_hold(previous_hash(pair, *c));
        self.contexts.may_hold(alone_hash(pair))
            || text.get(at + 2).is_some_and(next)
            || text[..at].last().is_some_and(previous)
    }

    fn find_single(&self, c: char, at: usize, found: &mut impl FnMut(Found)) {
        let first = self.singles.partition_point(|(single, _)| *single < c);
        let same = self.singles[first..]
            .iter()
            .take_while(|(single, _)| *single == c);
        for &(_, string) in same {
            found(Found {
                string,
                start: at,
                end: at + 1,
            });
        }
    }

    /// The strings known by the pair at `at`, and by the four that begin with it.
    fn find_pair(&self, text: &[char], at: usize, hash: u64, slot: Slot, found: &mut impl FnMut(Found)) {
        let slot = self.settle(key(hash), slot);
        self.compare(text, at, slot, found);
        if slot.records & WIDE != 0
            && let Some([_, _, c, d]) = text.get(at..at + 4)
        {
            let key = key(four_hash(hash, *c, *d));
            let slot = self.slots[slot_of(key, self.slots.len() - 1)];
            self.compare(text, at, self.settle(key, slot), found);
        }
    }

    /// The slot of `key`, from the one where it is looked for first.
    fn settle(&self, key: u32, mut slot: Slot) -> Slot {
        let mask = self.slots.len() - 1;
        let mut at = slot_of(key, mask);
        while slot.key != key && !slot.is_free() {
            at = (at + 1) & mask;
            slot = self.slots[at];
        }
        slot
    }

    /// Of the strings of a slot, those that are there around `at`.
    fn compare(&self, text: &[char], at: usize, slot: Slot, found: &mut impl FnMut(Found)) {
        let start = (slot.records & !WIDE) as usize;
        if start == 0 {
            return;
        }
        let mut records = &self.records[start..];
        while let [_, before, len, count, ..] = *records {
            let (before, len, last) = (before as usize, len as usize, count & LAST != 0);
            let count = (count & !LAST) as usize;
            let size = HEADER + len;
            let (alike, rest) = records.split_at(count * size);
            records = if last { &[] } else { rest };
            let Some(start) = at.checked_sub(before) else {
                continue;
            };
            let Some(here) = text.get(start..start + len) else {
                continue;
            };
            let chars = |n: usize| alike[n * size + HEADER..(n + 1) * size].iter().copied();
            let here = || here.iter().map(|c| u32::from(*c));
            let first = match count {
                1 => 0,
                _ => first_from(count, |n| chars(n).lt(here())),
            };
            for n in (first..count).take_while(|n| chars(*n).eq(here())) {
                found(Found {
                    string: alike[n * size],
                    start,
                    end: start + len,
                });
            }
        }
    }
}

/// So many pairs are looked at before the first that may be known is looked up.
const BATCH: usize = 32;
/// So many look-ups are begun before the first is needed.
const AHEAD: usize = 8;

/// The first number below `count` of which `before` does not hold, as of all after it.
fn first_from(count: usize, before: impl Fn(usize) -> bool) -> usize {
    let (mut start, mut end) = (0, count);
    while start < end {
        let middle = start.midpoint(end);
        if before(middle) {
            start = middle + 1;
        } else {
            end = middle;
        }
    }
    start
}

impl Entry {
    fn text<'c>(&self, chars: &'c [char]) -> &'c [char] {
        &chars[self.start as usize..(self.start + self.len) as usize]
    }

    /// The hash of its pair and what follows it there; at its end, what comes before it, if anything does.
    fn context(&self, chars: &[char]) -> u64 {
        let (text, before) = (self.text(chars), self.before as usize);
        let pair = pair_hash(text[before], text[before + 1]);
        match (text.get(before + 2), text[..before].last()) {
            (Some(next), _) => next_hash(pair, *next),
            (None, Some(previous)) => previous_hash(pair, *previous),
            (None, None) => alone_hash(pair),
        }
    }

    /// … of its record.
    fn size(&self) -> usize {
        HEADER + self.len as usize
    }
}

impl Slot {
    fn is_free(&self) -> bool {
        self.records == 0
    }
}

/// By what each string is known.
struct Known {
    /// With the key of its neighbours.
    entries: Vec<(u32, Entry)>,
    /// The hash of every pair to look out for, and whether known fours begin with it; sorted.
    pairs: Vec<(u64, bool)>,
}

impl Known {
    /// Of equally rare neighbours, the first.
    fn new(entries: Vec<Entry>, chars: &[char]) -> Self {
        let all = entries.iter().flat_map(|entry| pair_hashes(entry.text(chars)));
        let pairs = Uses::count(chars.len(), all);
        let by_pair: Vec<(u64, Entry)> = entries
            .into_iter()
            .filter_map(|entry| {
                let places = (0..).zip(pair_hashes(entry.text(chars)));
                let (before, hash) = places.min_by_key(|(_, hash)| pairs.of(*hash))?;
                Some((hash, Entry { before, ..entry }))
            })
            .collect();
        let crowds = Uses::count(by_pair.len(), by_pair.iter().map(|(hash, _)| *hash));
        let is_wide = |(hash, entry): &(u64, Entry)| entry.len >= 4 && crowds.of(*hash) > CROWD;
        let all = by_pair
            .iter()
            .filter(|known_by| is_wide(known_by))
            .flat_map(|(_, entry)| four_hashes(entry.text(chars)).map(|(_, four)| four));
        let fours = Uses::count(chars.len(), all);
        let mut known = Self {
            entries: Vec::with_capacity(by_pair.len()),
            pairs: Vec::with_capacity(by_pair.len()),
        };
        for known_by in by_pair {
            let wide = is_wide(&known_by);
            let (hash, entry) = known_by;
            let places = (0..).zip(four_hashes(entry.text(chars)));
            let four = wide.then(|| places.min_by_key(|(_, (_, four))| fours.of(*four)));
            match four.flatten() {
                None => {
                    known.pairs.push((hash, false));
                    known.entries.push((key(hash), entry));
                }
                Some((before, (pair, four))) => {
                    known.pairs.push((pair, true));
                    known.entries.push((key(four), Entry { before, ..entry }));
                }
            }
        }
        known.pairs.sort_unstable();
        known.pairs.dedup_by(|later, first| {
            let same = later.0 == first.0;
            first.1 |= same && later.1;
            same
        });
        known
    }
}

/// How often each of many hashes was there, or a little more often.
struct Uses(Vec<u32>);

impl Uses {
    /// `most`: so many hashes at most.
    fn count(most: usize, hashes: impl Iterator<Item = u64>) -> Self {
        let mut uses = Self(vec![0; (2 * most).next_power_of_two()]);
        for hash in hashes {
            let at = uses.at(hash);
            uses.0[at] += 1;
        }
        uses
    }

    fn of(&self, hash: u64) -> u32 {
        self.0[self.at(hash)]
    }

    fn at(&self, hash: u64) -> usize {
        slot_of(key(hash), self.0.len() - 1)
    }
}

fn records(entries: &[(u32, Entry)], chars: &[char]) -> Box<[u32]> {
    let mut records = Vec::with_capacity(1 + entries.iter().map(|(_, entry)| entry.size()).sum::<usize>());
    records.push(0);
    for (at, (key, entry)) in entries.iter().enumerate() {
        let next = entries.get(at + entry.alike as usize);
        let last = match next {
            Some((next, _)) if next == key => 0,
            _ => LAST,
        };
        records.extend([entry.string, entry.before, entry.len, entry.alike | last]);
        records.extend(entry.text(chars).iter().map(|c| u32::from(*c)));
    }
    records.into()
}

/// `entries` are sorted by key.
fn slots(entries: &[(u32, Entry)], pairs: &[(u64, bool)]) -> Box<[Slot]> {
    let mut groups: Vec<Slot> = Vec::new();
    let mut start = 1;
    for (key, entry) in entries {
        if groups.last().is_none_or(|group| group.key != *key) {
            groups.push(Slot {
                key: *key,
                records: start,
            });
        }
        start += index(entry.size());
    }
    let known = groups.len();
    for (hash, _) in pairs.iter().filter(|(_, wide)| *wide) {
        let key = key(*hash);
        match groups[..known].binary_search_by_key(&key, |group| group.key) {
            Ok(group) => groups[group].records |= WIDE,
            Err(_) => groups.push(Slot { key, records: WIDE }),
        }
    }
    if groups.is_empty() {
        return Box::default();
    }
    let len = (groups.len() + groups.len() / 2 + 1).next_power_of_two();
    let mut slots = vec![Slot::default(); len].into_boxed_slice();
    for group in groups {
        let mut at = slot_of(group.key, len - 1);
        while !slots[at].is_free() && slots[at].key != group.key {
            at = (at + 1) & (len - 1);
        }
        slots[at] = group;
    }
    slots
}

const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

/// The upper bits are the best ones.
#[inline]
fn pair_hash(a: char, b: char) -> u64 {
    (u64::from(a) << 21 | u64::from(b)).wrapping_mul(MULTIPLIER)
}

fn next_hash(pair: u64, next: char) -> u64 {
    (pair ^ u64::from(next)).wrapping_mul(MULTIPLIER)
}

fn previous_hash(pair: u64, previous: char) -> u64 {
    (pair.rotate_left(32) ^ u64::from(previous)).wrapping_mul(MULTIPLIER)
}

fn alone_hash(pair: u64) -> u64 {
    pair.rotate_left(16).wrapping_mul(MULTIPLIER)
}

fn four_hash(pair: u64, c: char, d: char) -> u64 {
    (pair.rotate_left(32) ^ pair_hash(c, d)).wrapping_mul(MULTIPLIER)
}

fn pair_hashes(text: &[char]) -> impl Iterator<Item = u64> {
    text.windows(2).map(|pair| pair_hash(pair[0], pair[1]))
}

/// Of each four neighbours, the hash of the pair that they begin with, and their own.
fn four_hashes(text: &[char]) -> impl Iterator<Item = (u64, u64)> {
    text.windows(4).map(|four| {
        let pair = pair_hash(four[0], four[1]);
        (pair, four_hash(pair, four[2], four[3]))
    })
}

#[inline]
fn key(hash: u64) -> u32 {
    (hash >> 32) as u32
}

#[inline]
fn slot_of(key: u32, mask: usize) -> usize {
    (key >> 8) as usize & mask
}

/// Two bits a pair, both in one word: of pairs that no string is known by, one in sixty passes.
#[derive(Debug, Default)]
struct Filter(Box<[u64]>);

impl Filter {
    /// `most`: so many hashes at most.
    fn new(most: usize, hashes: impl Iterator<Item = u64>) -> Self {
        let words = most.div_ceil(4).next_power_of_two();
        let mut filter = Self(vec![0; words].into_boxed_slice());
        for hash in hashes {
            let word = filter.word(hash);
            filter.0[word] |= Self::bits(hash);
        }
        filter
    }

    #[inline]
    fn bits(hash: u64) -> u64 {
        1 << (hash >> 58) | 1 << (hash >> 52 & 63)
    }

    #[inline]
    fn word(&self, hash: u64) -> usize {
        (hash >> 34) as usize & (self.0.len() - 1)
    }

    #[inline]
    fn may_hold(&self, hash: u64) -> bool {
        let bits = Self::bits(hash);
        self.0[self.word(hash)] & bits == bits
    }
}

/// One bit a character, by its lowest bits.
#[derive(Debug)]
struct SingleFilter([u64; 64]);

impl Default for SingleFilter {
    fn default() -> Self {
        Self([0; 64])
    }
}

impl SingleFilter {
    fn new(singles: &[(char, u32)]) -> Self {
        let mut filter = Self::default();
        for (c, _) in singles {
            filter.0[*c as usize >> 6 & 63] |= 1 << (*c as u32 & 63);
        }
        filter
    }

    #[inline]
    fn may_hold(&self, c: char) -> bool {
        self.0[c as usize >> 6 & 63] >> (c as u32 & 63) & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(strings: &[String], text: &str) -> Vec<(u32, usize, usize)> {
        let strings = Strings::new(strings.iter().map(String::as_str));
        let text: Vec<char> = text.chars().collect();
        let mut all = Vec::new();
        strings.find(&text, |f| all.push((f.string, f.start, f.end)));
        all.sort_unstable();
        all
    }

    #[test]
    fn many_strings_that_share_neighbours_are_told_apart() {
        let codes: Vec<String> = (0..5_000).map(|n| format!("a{n:04}")).collect();
        assert_eq!(all(&codes, "xa1234a4321"), [(1234, 1, 6), (4321, 6, 11)]);
        assert_eq!(all(&codes, "a12"), []);
        assert_eq!(all(&[], "a1"), []);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn every_occurrence_is_found_and_nothing_else(
            strings in prop::collection::vec("[ab吗\u{10000}]{1,6}", 0..60),
            text in "[ab吗\u{10000}]{0,20}|[ab吗\u{10000}]{20,100}",
        ) {
            let chars: Vec<char> = text.chars().collect();
            let mut expected = Vec::new();
            for (id, string) in (0..).zip(&strings) {
                let string: Vec<char> = string.chars().collect();
                for (start, here) in chars.windows(string.len()).enumerate() {
                    if here == string {
                        expected.push((id, start, start + string.len()));
                    }
                }
            }
            expected.sort_unstable();
            prop_assert_eq!(all(&strings, &text), expected);
        }
    }
}
