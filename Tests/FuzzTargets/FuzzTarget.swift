import ConfigText
import Foundation
import Logs
import Shards
import StageKit

/// A parser that must answer any bytes with a value or a `LecternError`: never with a trap, and with bounded memory.
package enum FuzzTarget: String, CaseIterable, Sendable {
    case shard
    case header
    case manifest
    case slice
    case checkpoint
    case csv
    case dataset
    case pipeline
    case assignment
    case time
    case list

    /// Parses. An error of any other type is a defect, and traps.
    package func run(_ bytes: [UInt8]) {
        do {
            try parse(bytes)
        } catch is LecternError {
        } catch {
            fatalError("\(self): \(type(of: error)) instead of a LecternError: \(error)")
        }
    }

    private func parse(_ bytes: [UInt8]) throws {
        let text = String(decoding: bytes, as: UTF8.self)
        switch self {
        case .shard: try read(Shard(gzipped: bytes, name: "fuzz", maximumBytes: 1 << 24))
        // The same behind gzip, whose checksum would stop nearly all.
        case .header: try read(Shard(fuzzed: bytes))
        case .manifest:
            _ = try? Manifest(bytes, path: "fuzz")
            if bytes.first == UInt8(ascii: "{") && bytes.count > 2 {
                _ = try Manifest(SelfCheck.sealed(bytes), path: "fuzz")
            }
        case .slice:
            let stage = StageName.allCases[Int(bytes.first ?? 0) % StageName.allCases.count]
            let json = Array(bytes.dropFirst())
            _ = try? Slice(stage: stage, bytes: json, path: "fuzz")
            if json.first == UInt8(ascii: "{") && json.count > 2 {
                _ = try Slice(stage: stage, bytes: SelfCheck.sealed(json), path: "fuzz")
            }
        case .checkpoint: try CheckpointExample.shared.read(bytes)
        case .csv: try rows(bytes)
        case .dataset:
            // What is accepted goes into import-logs' slice, and comes out of it.
            _ = try DatasetMapping(yaml: text, file: "fuzz")
            if let node = try YAMLText.compose(text, file: "fuzz") {
                let json = String(decoding: Value(node).jsonBytes(), as: UTF8.self)
                _ = try DatasetMapping(yaml: json, file: "fuzz")
            }
        case .pipeline:
            var configuration = Configuration()
            try configuration.apply(yaml: text, file: "fuzz")
        case .assignment:
            var configuration = Configuration()
            try configuration.apply(assignment: text)
        case .time: times(bytes, text)
        case .list:
            bytes.withField { field in
                _ = field.bracketedList
                for separator in "|; ".utf8 { field.split(at: separator) { _ = $0.number } }
            }
        }
    }

    /// Every column as what it says it is, and as one value a row, which a column of lists must refuse.
    private func read(_ shard: Shard) throws {
        for column in shard.columns {
            switch (column.type, column.shape.count) {
            case (.f32, 2): _ = try shard.matrix(column.name)
            case (.i64, 1): try read(Int64.self, column.name, shard)
            case (.f64, 1): try read(Double.self, column.name, shard)
            case (.i32, 1): try read(Int32.self, column.name, shard)
            case (.u32, 1): try read(UInt32.self, column.name, shard)
            case (.f32, 1): try read(Float.self, column.name, shard)
            case (.u16, 1): try read(UInt16.self, column.name, shard)
            case (.u8, 1):
                if shard.has(column.name + ".offsets") { _ = try shard.strings(column.name).strings }
                try read(UInt8.self, column.name, shard)
            case (.bool, 1): try read(Bool.self, column.name, shard)
            default: break
            }
        }
    }

    private func read<Element: ShardElement>(_ type: Element.Type, _ name: String, _ shard: Shard) throws {
        if shard.has(name + ".offsets") {
            let lists = try shard.ragged(name, as: type)
            for row in 0..<lists.count { _ = lists[row] }
            precondition(lists.count == shard.rows && (try? shard.values(name, as: type)) == nil)
        } else {
            let values = try shard.values(name, as: type)
            precondition(values.count == shard.rows || name.hasSuffix(".offsets"))
        }
    }

    /// A file in memory, without a name: another input needs no sync and no rename.
    private static let file: String = {
        let name = "/lectern-fuzz-\(ProcessInfo.processInfo.processIdentifier)"
        let descriptor = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0o600)
        precondition(descriptor >= 0 && shm_unlink(name) == 0)
        return "/proc/self/fd/\(descriptor)"
    }()

    /// The first byte chooses the form and the size of blocks.
    private func rows(_ bytes: [UInt8]) throws {
        let choice = bytes.first ?? 0
        func chosen(_ bit: UInt8) -> Bool { choice & bit != 0 }
        try FileSystem.write(Array(bytes.dropFirst()), to: Self.file, flushed: false)
        let delimiter = UInt8(ascii: chosen(1) ? "\t" : ",")
        let (pair, repeatsLast) = (chosen(16), chosen(32))
        let form = RowForm(
            delimiter: pair ? [delimiter, delimiter] : [delimiter], quoted: !chosen(2) && !pair && !repeatsLast,
            hasHeader: !chosen(64), repeatsLast: repeatsLast, latin1: chosen(8))
        let reader = try RowReader(path: Self.file, form: form, blockBytes: chosen(4) ? 1 << 12 : 7)
        let cursor = RowCursor(form: form, columns: 4)
        while let block = try reader.next() {
            cursor.start(block)
            while cursor.next() {
                for i in 0..<min(cursor.count, 4) { _ = cursor[i].string }
            }
        }
    }

    private func times(_ bytes: [UInt8], _ text: String) {
        bytes.withField { field in
            _ = field.number
            for form: Conversion.TimeForm in [.iso8601, .epochSeconds, .epochMilliseconds, .year] {
                if let seconds = field.time(form) { _ = Moment.text(seconds) }
            }
        }
        if let seconds = Moment.parse(text) { _ = Moment.text(seconds) }
        _ = Duration.seconds(text)
    }
}

extension Shard {
    /// Of bytes that gzip frames without packing them: what it cost would be spent on each input.
    init(fuzzed bytes: [UInt8]) throws {
        try self.init(gzipped: Gzip.compress(bytes, stored: true), name: "fuzz", maximumBytes: 1 << 24)
    }
}
