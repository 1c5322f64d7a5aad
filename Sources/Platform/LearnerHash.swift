import LinearAlgebra

/// What decides a learner's shard and validation half: FNV-1a-64 of the id's bytes, finished by MurmurHash3's fmix64.
package enum LearnerHash {
    package static func of<Bytes: Sequence>(_ id: Bytes) -> UInt64 where Bytes.Element == UInt8 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in id { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        hash ^= hash >> 33
        hash = hash &* 0xff51_afd7_ed55_8ccd
        hash ^= hash >> 33
        hash = hash &* 0xc4ce_b9fe_1a85_ec53
        return hash ^ (hash >> 33)
    }

    package static func shard(_ hash: UInt64, of shards: Int) -> Int { Int(hash % UInt64(shards)) }

    /// The top bit, so that halves are independent of shards.
    package static func half(_ hash: UInt64) -> TimeWindows.Half { hash >> 63 == 0 ? .a : .b }

    /// The smallest power of two ≥ 16 with at most 16,384 learners a shard on average.
    package static func automaticShards(learners: Int) -> Int {
        var shards = 16
        while learners > shards * 16_384 { shards *= 2 }
        return shards
    }
}
