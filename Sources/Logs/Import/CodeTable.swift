import Synchronization

/// Byte strings numbered for all threads at once (courses, channels, kinds). The numbers depend on who came first;
/// they are replaced by places in a sorted list before anything is written.
final class CodeTable: Sendable {
    private let table = Mutex<Box>(Box())

    private final class Box {
        let ids = IdTable()
        /// Earliest event by code.
        var firstTime: [Int64] = []
    }

    /// - Parameter bytes: not empty.
    func insert(_ bytes: [UInt8]) -> UInt32 {
        table.withLock { box in
            let code = bytes.withField { box.ids.insert($0, hash: $0.hash) }
            while box.firstTime.count < box.ids.count { box.firstTime.append(.max) }
            return UInt32(code)
        }
    }

    /// The string of each code.
    func strings(_ codes: [UInt32]) -> [[UInt8]] {
        table.withLock { box in codes.map { Array(box.ids[Int($0)].bytes) } }
    }

    func noteFirstTimes(_ times: [Int64]) {
        table.withLock {
            for (code, time) in times.enumerated() where time < $0.firstTime[code] { $0.firstTime[code] = time }
        }
    }

    /// All strings and their earliest events, by code.
    var entries: [(bytes: [UInt8], firstTime: Int64)] {
        table.withLock { box in (0..<box.ids.count).map { (Array(box.ids[$0].bytes), box.firstTime[$0]) } }
    }
}

/// One thread's view of a `CodeTable`: look-ups without a lock once a string has been seen.
final class LocalCodes {
    private let shared: CodeTable
    private let ids = IdTable()
    /// By entry; nil where the string is not UTF-8.
    @exclusivity(unchecked) private var codes: [UInt32?] = []
    @exclusivity(unchecked) private var firstTime: [Int64] = []

    init(_ shared: CodeTable) { self.shared = shared }

    /// nil if the field is not UTF-8.
    @inline(__always)
    func find(_ field: Field) -> UInt32? {
        let hash = field.quickHash
        if let entry = ids.find(field, hash: hash) { return codes[entry] }
        return insert(field, hash)
    }

    private func insert(_ field: Field, _ hash: UInt64) -> UInt32? {
        _ = ids.insert(field, hash: hash)
        var code: UInt32?
        if field.isUTF8 {
            let new = shared.insert(Array(field.bytes))
            while firstTime.count <= Int(new) { firstTime.append(.max) }
            code = new
        }
        codes.append(code)
        return code
    }

    /// An accepted event of a code that `find` has given.
    @inline(__always)
    func note(_ code: UInt32, at time: Int64) {
        if time < firstTime[Int(code)] { firstTime[Int(code)] = time }
    }

    func finish() { shared.noteFirstTimes(firstTime) }
}

extension Array where Element == UInt8 {
    /// The bytes as a field; there must be some.
    package func withField<Result>(_ body: (Field) throws -> Result) rethrows -> Result {
        try withUnsafeBufferPointer { try body(Field(start: $0.baseAddress!, count: $0.count)) }
    }
}
