/// The element types of the profile (docs/shards.md).
package enum ElementType: String, Sendable, CaseIterable {
    case i64 = "I64"
    case f64 = "F64"
    case i32 = "I32"
    case u32 = "U32"
    case f32 = "F32"
    case u16 = "U16"
    case u8 = "U8"
    case bool = "BOOL"

    package var width: Int {
        switch self {
        case .i64, .f64: 8
        case .i32, .u32, .f32: 4
        case .u16: 2
        case .u8, .bool: 1
        }
    }
}

/// A Swift type that is stored as it lies in memory (little-endian).
package protocol ShardElement: BitwiseCopyable, Sendable {
    static var elementType: ElementType { get }
}

extension Int64: ShardElement { package static let elementType = ElementType.i64 }
extension Double: ShardElement { package static let elementType = ElementType.f64 }
extension Int32: ShardElement { package static let elementType = ElementType.i32 }
extension UInt32: ShardElement { package static let elementType = ElementType.u32 }
extension Float: ShardElement { package static let elementType = ElementType.f32 }
extension UInt16: ShardElement { package static let elementType = ElementType.u16 }
extension UInt8: ShardElement { package static let elementType = ElementType.u8 }
extension Bool: ShardElement { package static let elementType = ElementType.bool }

/// A column of lists: row i is `values[offsets[i]..<offsets[i + 1]]`.
package struct Ragged<Element: ShardElement>: Sendable {
    package var offsets: [Int64]
    package var values: [Element]

    package init(offsets: [Int64], values: [Element]) {
        precondition(offsets.first == 0 && offsets.last == Int64(values.count))
        (self.offsets, self.values) = (offsets, values)
    }

    /// An empty column to append rows to.
    package init() { (offsets, values) = ([0], []) }

    package var count: Int { offsets.count - 1 }
    package func range(_ row: Int) -> Range<Int> { Int(offsets[row])..<Int(offsets[row + 1]) }
    package subscript(row: Int) -> ArraySlice<Element> { values[range(row)] }

    package mutating func append<Row: Sequence>(_ row: Row) where Row.Element == Element {
        values.append(contentsOf: row)
        offsets.append(Int64(values.count))
    }
}

extension Ragged: Equatable where Element: Equatable {}

extension Ragged where Element == UInt8 {
    /// A column of strings as UTF-8.
    package init(_ strings: [String]) {
        self.init()
        for string in strings { append(string.utf8) }
    }

    package func string(_ row: Int) -> String { String(decoding: self[row], as: UTF8.self) }
    package var strings: [String] { (0..<count).map(string) }
}
