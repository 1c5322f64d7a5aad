extension Parameters {
    static let cowatch: [Parameter] = []
}
