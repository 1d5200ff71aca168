//! Texts that agents use again and again.

words! {
    /// The page of snippets.
    Snippets {
        title: "Snippets", "常用语";
        lead: "Short texts that are inserted with one click while writing a reply.", "回复客户时可一键插入的短文本。";
        name: "Name", "名称";
        text: "Text", "内容";
        add: "Add a snippet", "添加常用语";
        change: "Change a snippet", "修改常用语";
        save: "Save", "保存";
        delete: "Delete", "删除";
        delete_sure: "Delete this snippet?", "确定删除这条常用语？";
        none: "No snippets yet.", "还没有常用语。";
        back: "Back to the conversations", "返回会话";
        bad_name: "A name has 1 to {} characters, without line breaks or slashes.", "名称为 1–{} 个字，不能有换行和斜杠。";
        bad_text: "A text has 1 to {} bytes.", "内容不能为空，且不超过 {} 字节。";
        taken: "There is a snippet of this name already.", "已有同名的常用语。";
        too_many: "There are {} snippets already; delete one first.", "已有 {} 条常用语，请先删除一些。";
    }
}
