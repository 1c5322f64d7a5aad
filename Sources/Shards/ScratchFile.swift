#if canImport(Glibc)
    import Glibc
#endif

/// A file without a name, written once and then mapped: memory that the system can have back. It is gone when its
/// process is.
package final class ScratchFile {
    private let descriptor: Int32
    private let path: String
    private var bytes = 0

    /// - Parameter folder: where there is room for it.
    package init(in folder: String) throws {
        (descriptor, path) = try FileSystem.createTemporary(in: folder)
        try FileSystem.removeAll(path)
    }

    deinit { close(descriptor) }

    /// Where the values lie, for `MappedFile.values`.
    package func append<Element: BitwiseCopyable>(_ values: [Element]) throws -> Place<Element> {
        let padding = [UInt8](repeating: 0, count: -bytes & (MemoryLayout<Element>.alignment - 1))
        try padding.withUnsafeBytes { try FileSystem.writeAll(descriptor, $0, path) }
        let place = Place<Element>(byte: bytes + padding.count, count: values.count)
        try values.withUnsafeBytes { try FileSystem.writeAll(descriptor, $0, path) }
        bytes = place.byte + values.count * MemoryLayout<Element>.stride
        return place
    }

    package struct Place<Element> {
        fileprivate let byte: Int
        fileprivate let count: Int
    }

    /// All that was appended, read only.
    package func mapped() throws -> MappedFile {
        if bytes == 0 { return MappedFile(start: nil, bytes: 0) }
        let start = mmap(nil, bytes, PROT_READ, MAP_PRIVATE, descriptor, 0)
        if start == MAP_FAILED { throw FileSystem.fail(path, "map") }
        return MappedFile(start: start, bytes: bytes)
    }
}

/// A file in the address space, for as long as this lives.
package final class MappedFile: @unchecked Sendable {
    private let start: UnsafeMutableRawPointer?
    private let bytes: Int

    fileprivate init(start: UnsafeMutableRawPointer?, bytes: Int) { (self.start, self.bytes) = (start, bytes) }

    deinit { if let start { munmap(start, bytes) } }

    /// - Returns: valid for as long as this file is kept.
    package func values<Element: BitwiseCopyable>(_ place: ScratchFile.Place<Element>) -> UnsafeBufferPointer<Element> {
        guard let start, place.count > 0 else { return UnsafeBufferPointer(start: nil, count: 0) }
        precondition(place.byte + place.count * MemoryLayout<Element>.stride <= bytes)
        return UnsafeBufferPointer(
            start: (start + place.byte).assumingMemoryBound(to: Element.self), count: place.count)
    }
}
