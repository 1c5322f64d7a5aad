extension Parameters {
    static let ncf: [Parameter] = []
}
