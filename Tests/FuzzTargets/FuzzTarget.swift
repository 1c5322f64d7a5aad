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
        case .header: try read(Shard(gzipped: Gzip.compress(bytes), name: "fuzz", maximumBytes: 1 << 24))
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
            // As it goes into import-logs' slice, and as it comes out of it.
            if let node = try Configuration.compose(text, file: "fuzz") {
                let json = String(decoding: Value(node).jsonBytes(), as: UTF8.self)
                _ = try? DatasetMapping(yaml: json, file: "fuzz")
            }
            _ = try DatasetMapping(yaml: text, file: "fuzz")
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

    /// Every column as what it says it is.
    private func read(_ shard: Shard) throws {
        for column in shard.columns {
            switch (column.type, column.shape.count) {
            case (.f32, 2): _ = try shard.matrix(column.name)
            case (.i64, 1): _ = try shard.values(column.name, as: Int64.self)
            case (.f64, 1): _ = try shard.values(column.name, as: Double.self)
            case (.i32, 1): _ = try shard.values(column.name, as: Int32.self)
            case (.u32, 1): _ = try shard.values(column.name, as: UInt32.self)
            case (.f32, 1): _ = try shard.values(column.name, as: Float.self)
            case (.u16, 1): _ = try shard.values(column.name, as: UInt16.self)
            case (.u8, 1):
                if shard.has(column.name + ".offsets") { _ = try shard.strings(column.name).strings }
            case (.bool, 1): _ = try shard.values(column.name, as: Bool.self)
            default: break
            }
        }
    }

    /// The first byte chooses the form and the size of blocks.
    private func rows(_ bytes: [UInt8]) throws {
        let path = NSTemporaryDirectory() + "lectern-fuzz-\(ProcessInfo.processInfo.processIdentifier).csv"
        let choice = bytes.first ?? 0
        try FileSystem.replace(path, with: Array(bytes.dropFirst()))
        defer { try? FileSystem.removeAll(path) }
        let form = RowForm(delimiter: UInt8(ascii: choice & 1 == 0 ? "," : "\t"), quoted: choice & 2 == 0)
        let reader = try RowReader(path: path, form: form, blockBytes: choice & 4 == 0 ? 7 : 1 << 12)
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
