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

    func find(_ bytes: [UInt8]) -> UInt32? {
        table.withLock { box in bytes.withField { box.ids.find($0, hash: $0.hash) }.map(UInt32.init) }
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
    enum Found: Equatable {
        case code(UInt32)
        case unknown
        case notUTF8
    }

    private let shared: CodeTable
    /// Whether a new string gets a code; else it is unknown.
    private let isOpen: Bool
    private let ids = IdTable()
    @exclusivity(unchecked) private var found: [Found] = []
    @exclusivity(unchecked) private var firstTime: [Int64] = []

    init(_ shared: CodeTable, isOpen: Bool) { (self.shared, self.isOpen) = (shared, isOpen) }

    func find(_ field: Field) -> Found {
        let hash = field.hash
        if let entry = ids.find(field, hash: hash) { return found[entry] }
        _ = ids.insert(field, hash: hash)
        found.append(lookUp(field))
        return found[found.count - 1]
    }

    private func lookUp(_ field: Field) -> Found {
        if !field.isUTF8 { return .notUTF8 }
        let bytes = Array(field.bytes)
        guard let code = isOpen ? shared.insert(bytes) : shared.find(bytes) else {
            return .unknown
        }
        while firstTime.count <= Int(code) { firstTime.append(.max) }
        return .code(code)
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
