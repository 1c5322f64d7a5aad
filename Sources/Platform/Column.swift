/// Numbers in memory, or in a file that is mapped: then their pages come when they are read and go when memory is
/// short. Written like an array; whoever writes to one in a file gets it in memory first.
package struct Column<Element: BitwiseCopyable & Sendable & Equatable>: Sendable {
    private var own: [Element]
    private var mapped: Mapped<Element>?

    package init(_ values: [Element]) { own = values }

    /// - Parameter owner: keeps the file mapped for as long as it lives.
    package init(mapped values: UnsafeBufferPointer<Element>, owner: AnyObject & Sendable) {
        own = []
        mapped = Mapped(values: values, owner: owner)
    }

    /// The values in memory: a copy of those in a file.
    package var array: [Element] { mapped.map { Array($0.values) } ?? own }

    @inline(__always)
    package func withUnsafeBufferPointer<Result>(
        _ body: (UnsafeBufferPointer<Element>) throws -> Result
    ) rethrows -> Result {
        if let mapped { return try body(mapped.values) }
        return try own.withUnsafeBufferPointer(body)
    }

    private mutating func bringIn() {
        guard let mapped else { return }
        own = Array(mapped.values)
        self.mapped = nil
    }
}

/// Read only, so threads may share it.
private struct Mapped<Element: BitwiseCopyable & Sendable>: @unchecked Sendable {
    let values: UnsafeBufferPointer<Element>
    let owner: AnyObject & Sendable
}

extension Column: RandomAccessCollection, MutableCollection, RangeReplaceableCollection, ExpressibleByArrayLiteral {
    package init() { own = [] }
    package init(arrayLiteral values: Element...) { own = values }

    package var startIndex: Int { 0 }
    package var endIndex: Int { mapped?.values.count ?? own.count }

    @inline(__always)
    package subscript(position: Int) -> Element {
        get {
            guard let mapped else { return own[position] }
            precondition(position >= 0 && position < mapped.values.count)
            return mapped.values[position]
        }
        set {
            bringIn()
            own[position] = newValue
        }
    }

    package mutating func reserveCapacity(_ count: Int) {
        bringIn()
        own.reserveCapacity(count)
    }

    package mutating func append(_ value: Element) {
        bringIn()
        own.append(value)
    }

    package mutating func append(contentsOf values: some Sequence<Element>) {
        bringIn()
        own.append(contentsOf: values)
    }

    package mutating func replaceSubrange(_ range: Range<Int>, with values: some Collection<Element>) {
        bringIn()
        own.replaceSubrange(range, with: values)
    }
}

extension Column: Equatable {
    package static func == (a: Column, b: Column) -> Bool { a.elementsEqual(b) }
}
