import Foundation

/// Byte strings numbered in order of arrival: an open-addressing hash table over one arena of bytes.
/// A look-up takes some ten nanoseconds; checks of exclusive access would take as long again, and no method calls out.
/// Not safe from several threads at once.
final class IdTable {
    @exclusivity(unchecked) private(set) var count = 0
    @exclusivity(unchecked) private var arena: UnsafeMutablePointer<UInt8>
    @exclusivity(unchecked) private var arenaUsed = 0
    @exclusivity(unchecked) private var arenaCapacity: Int
    /// `entryCapacity` + 1 offsets into the arena.
    @exclusivity(unchecked) private var offsets: UnsafeMutablePointer<Int>
    @exclusivity(unchecked) private var hashes: UnsafeMutablePointer<UInt64>
    @exclusivity(unchecked) private var entryCapacity: Int
    /// Entry + 1, or 0.
    @exclusivity(unchecked) private var slots: UnsafeMutablePointer<UInt32>
    @exclusivity(unchecked) private var slotCount: Int

    init(expected: Int = 64) {
        entryCapacity = max(16, expected)
        slotCount = 32
        while slotCount < entryCapacity * 2 { slotCount *= 2 }
        arenaCapacity = entryCapacity * 16
        arena = .allocate(capacity: arenaCapacity)
        offsets = .allocate(capacity: entryCapacity + 1)
        offsets[0] = 0
        hashes = .allocate(capacity: entryCapacity)
        slots = .allocate(capacity: slotCount)
        slots.initialize(repeating: 0, count: slotCount)
    }

    deinit {
        arena.deallocate()
        offsets.deallocate()
        hashes.deallocate()
        slots.deallocate()
    }

    /// Valid until the next insertion.
    subscript(entry: Int) -> Field { Field(start: arena + offsets[entry], count: offsets[entry + 1] - offsets[entry]) }
    func hash(_ entry: Int) -> UInt64 { hashes[entry] }
    func string(_ entry: Int) -> String { self[entry].string }

    func find(_ field: Field, hash: UInt64) -> Int? {
        var slot = Self.start(hash) & (slotCount - 1)
        while slots[slot] != 0 {
            let entry = Int(slots[slot]) - 1
            if hashes[entry] == hash && equals(entry, field) { return entry }
            slot = (slot + 1) & (slotCount - 1)
        }
        return nil
    }

    /// Not the low bits: ids of one partition have them in common.
    @inline(__always)
    private static func start(_ hash: UInt64) -> Int { Int(hash >> 32) }

    @inline(__always)
    private func equals(_ entry: Int, _ field: Field) -> Bool {
        let (begin, count) = (offsets[entry], field.count)
        if offsets[entry + 1] - begin != count { return false }
        // Most ids are shorter than the call of memcmp is worth.
        if count > 16 { return memcmp(arena + begin, field.start, count) == 0 }
        let (a, b) = (UnsafeRawPointer(arena + begin), UnsafeRawPointer(field.start))
        if count >= 8 {
            return a.loadUnaligned(as: UInt64.self) == b.loadUnaligned(as: UInt64.self)
                && (a + count - 8).loadUnaligned(as: UInt64.self) == (b + count - 8).loadUnaligned(as: UInt64.self)
        }
        if count >= 4 {
            return a.loadUnaligned(as: UInt32.self) == b.loadUnaligned(as: UInt32.self)
                && (a + count - 4).loadUnaligned(as: UInt32.self) == (b + count - 4).loadUnaligned(as: UInt32.self)
        }
        for i in 0..<count where arena[begin + i] != field[i] { return false }
        return true
    }

    func insert(_ field: Field, hash: UInt64) -> Int {
        if let known = find(field, hash: hash) { return known }
        if count == entryCapacity { grow() }
        reserve(field.count)
        (arena + arenaUsed).update(from: field.start, count: field.count)
        arenaUsed += field.count
        let entry = count
        count += 1
        offsets[count] = arenaUsed
        hashes[entry] = hash
        place(entry)
        return entry
    }

    private func place(_ entry: Int) {
        var slot = Self.start(hashes[entry]) & (slotCount - 1)
        while slots[slot] != 0 { slot = (slot + 1) & (slotCount - 1) }
        slots[slot] = UInt32(entry + 1)
    }

    private func reserve(_ bytes: Int) {
        if arenaUsed + bytes <= arenaCapacity { return }
        let larger = max(2 * arenaCapacity, arenaUsed + bytes)
        arena = Self.moved(arena, arenaUsed, to: larger)
        arenaCapacity = larger
    }

    private func grow() {
        offsets = Self.moved(offsets, count + 1, to: 2 * entryCapacity + 1)
        hashes = Self.moved(hashes, count, to: 2 * entryCapacity)
        entryCapacity *= 2
        slots.deallocate()
        slotCount *= 2
        slots = .allocate(capacity: slotCount)
        slots.initialize(repeating: 0, count: slotCount)
        for entry in 0..<count { place(entry) }
    }

    private static func moved<T>(_ old: UnsafeMutablePointer<T>, _ count: Int, to capacity: Int)
        -> UnsafeMutablePointer<T>
    {
        let new = UnsafeMutablePointer<T>.allocate(capacity: capacity)
        new.update(from: old, count: count)
        old.deallocate()
        return new
    }

    /// Entries in the byte order of their strings.
    func sorted(where isTaken: (Int) -> Bool = { _ in true }) -> [Int] {
        (0..<count).filter(isTaken).sorted { self[$0].precedes(self[$1]) }
    }
}

extension Field {
    /// The same as `LearnerHash.of`, without its generic sequence.
    @inline(__always)
    var hash: UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for i in 0..<count { hash = (hash ^ UInt64(start[i])) &* 0x100_0000_01b3 }
        hash = (hash ^ (hash >> 33)) &* 0xff51_afd7_ed55_8ccd
        hash = (hash ^ (hash >> 33)) &* 0xc4ce_b9fe_1a85_ec53
        return hash ^ (hash >> 33)
    }

    /// For tables in memory alone: eight bytes at a time (the last of them may overlap), multiplied and folded.
    @inline(__always)
    var quickHash: UInt64 {
        let raw = UnsafeRawPointer(start)
        @inline(__always)
        func word(_ at: Int) -> UInt64 { (raw + at).loadUnaligned(as: UInt64.self) }
        @inline(__always)
        func folded(_ a: UInt64, _ b: UInt64) -> UInt64 {
            let product = a.multipliedFullWidth(by: b)
            return product.high ^ product.low
        }
        var hash = UInt64(count) ^ 0x9e37_79b9_7f4a_7c15
        if count >= 8 {
            var at = 0
            while at + 8 < count {
                hash = folded(hash ^ word(at), 0xe703_7ed1_a0b4_28db)
                at += 8
            }
            return folded(hash ^ word(count - 8), 0xa076_1d64_78bd_642f)
        }
        var tail: UInt64 = 0
        for i in 0..<count { tail = tail << 8 | UInt64(start[i]) }
        return folded(hash ^ tail, 0xa076_1d64_78bd_642f)
    }

    /// Byte order.
    func precedes(_ other: Field) -> Bool {
        let order = memcmp(start, other.start, min(count, other.count))
        return order != 0 ? order < 0 : count < other.count
    }
}
