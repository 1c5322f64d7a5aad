import LinearAlgebra
import Platform

/// Course embeddings as TensorBoard's Embedding Projector loads them: tab-separated, a course a line in the order of
/// the catalogue; vectors without a header line, metadata with one.
enum ProjectorFiles {
    static let vectors = "projector/vectors.tsv"
    static let metadata = "projector/metadata.tsv"

    static func vectors(_ matrix: Matrix) -> [UInt8] {
        var text: [UInt8] = []
        for row in 0..<matrix.rows {
            for column in 0..<matrix.columns {
                if column > 0 { text.append(tab) }
                text += matrix[row, column].description.utf8
            }
            text.append(newline)
        }
        return text
    }

    /// Id, title, and every categorical and list column.
    static func metadata(_ catalogue: Catalogue) -> [UInt8] {
        let columns = catalogue.attributes.names.compactMap { name -> (name: String, texts: [String])? in
            guard let codes = catalogue.attributes.columns[name]!.codes,
                let values = catalogue.dictionaries[name]?.values
            else { return nil }
            return (name, codes.map { $0.map { values[Int($0)] }.joined(separator: ", ") })
        }
        var text = Array((["id", "title"] + columns.map(\.name)).joined(separator: "\t").utf8) + [newline]
        for course in 0..<catalogue.count {
            let fields = [catalogue.ids[course], catalogue.titles[course]] + columns.map { $0.texts[course] }
            text += fields.map(clean).joined(separator: "\t").utf8
            text.append(newline)
        }
        return text
    }

    private static let tab = UInt8(ascii: "\t")
    private static let newline = UInt8(ascii: "\n")

    /// The form knows no escapes.
    private static func clean(_ field: String) -> String {
        String(String.UnicodeScalarView(field.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7f ? " " : $0 }))
    }
}

extension AttributeColumn {
    /// Each row's codes; nil for numbers and text.
    var codes: [[UInt32]]? {
        switch self {
        case .categorical(let codes, let valid): zip(codes, valid).map { $1 ? [$0] : [] }
        case .list(let offsets, let values):
            (0..<offsets.count - 1).map { Array(values[offsets[$0]..<offsets[$0 + 1]]) }
        case .numeric, .text: nil
        }
    }
}
