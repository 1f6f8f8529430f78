-- Shapes pandoc's document so that its Markdown keeps everything that can be read:
-- title, authors and abstract stand in the text; a table is always a pipe table;
-- an image is its description.

-- A line break is a new line, without the backslash that would stand for it.
function LineBreak()
  return pandoc.RawInline("markdown", "\n")
end

function LineBlock(block)
  local lines = pandoc.Inlines {}
  for i, line in ipairs(block.content) do
    if i > 1 then lines:insert(pandoc.RawInline("markdown", "\n")) end
    lines:extend(line)
  end
  return pandoc.Para(lines)
end

local function no_breaks(inlines)
  return inlines:walk {
    RawInline = function(raw) if raw.text == "\n" then return pandoc.Space() end end,
    SoftBreak = function() return pandoc.Space() end,
    Note = function(note)
      local inside = pandoc.utils.blocks_to_inlines(note.content)
      return { pandoc.Space(), pandoc.Str("("), pandoc.Span(inside), pandoc.Str(")") }
    end,
  }
end

-- The paragraphs, list items and inner tables of a cell, each as one list of inlines.
local function pieces_of(blocks, pieces)
  for _, block in ipairs(blocks) do
    if block.t == "BulletList" or block.t == "OrderedList" then
      for _, item in ipairs(block.content) do pieces_of(item, pieces) end
    elseif block.t == "Div" or block.t == "BlockQuote" or block.t == "Figure" then
      pieces_of(block.content, pieces)
    else
      local inlines = no_breaks(pandoc.utils.blocks_to_inlines({ block }))
      if pandoc.utils.stringify(inlines):match("%S") or inlines:find_if(function(i) return i.t == "Math" end) then
        pieces[#pieces + 1] = inlines
      end
    end
  end
  return pieces
end

local function flatten_rows(rows)
  for _, row in ipairs(rows) do
    for _, cell in ipairs(row.cells) do
      local all = pandoc.Inlines {}
      for i, inlines in ipairs(pieces_of(cell.contents, {})) do
        if i > 1 then all:extend { pandoc.Str(";"), pandoc.Space() } end
        all:extend(inlines)
      end
      cell.contents = { pandoc.Plain(all) }
    end
  end
end

local function is_blank(rows)
  for _, row in ipairs(rows) do
    for _, cell in ipairs(row.cells) do
      if pandoc.utils.stringify(cell.contents):match("%S") then return false end
    end
  end
  return true
end

-- One paragraph a cell and no column widths, else pandoc refuses a pipe table; the first row is the header if there
-- is none; the caption stands above.
function Table(tbl)
  flatten_rows(tbl.head.rows)
  flatten_rows(tbl.foot.rows)
  for _, body in ipairs(tbl.bodies) do
    flatten_rows(body.head)
    flatten_rows(body.body)
  end
  local first = tbl.bodies[1]
  if is_blank(tbl.head.rows) and first then
    local rows = #first.head > 0 and first.head or first.body
    if #rows > 0 then tbl.head.rows = { table.remove(rows, 1) } end
  end
  for i, spec in ipairs(tbl.colspecs) do
    tbl.colspecs[i] = { pandoc.AlignDefault, nil }
  end
  local caption = tbl.caption.long
  tbl.caption = { long = {}, short = nil }
  local blocks = pandoc.Blocks(caption)
  blocks:insert(tbl)
  return blocks
end

-- Always fenced: four spaces alone are easily mistaken for a list's continuation.
function CodeBlock(code)
  local fence = "```"
  while code.text:find(fence, 1, true) do fence = fence .. "`" end
  return pandoc.RawBlock("markdown", fence .. (code.classes[1] or "") .. "\n" .. code.text .. "\n" .. fence)
end

function Header(header)
  header.content = no_breaks(header.content)
  return header
end

-- A role of reStructuredText shows its words, not what they point to.
function Code(code)
  if code.classes:includes("interpreted-text") then
    local words = code.text:match("^(.-)%s*<[^<>]*>$")
    if words and words ~= "" then return pandoc.Str(words) end
  end
end

-- Addresses within a wiki or folder say nothing outside of it.
function Link(link)
  if not (link.target:match("^https?://") or link.target:match("^mailto:")) then return link.content end
end

-- What a macro needs in text says nothing within a formula.
function Math(math)
  local function bare(group)
    return group:match("\\%a+}$") and group or group:sub(2, -2)
  end
  local text, found = math.text, 1
  while found > 0 do
    text, found = text:gsub("\\ensuremath%s*(%b{})", bare)
  end
  math.text = text:gsub("\\xspace%f[^%a]", "")
  return math
end

-- A displayed equation stands in a paragraph of its own.
function Para(para)
  local out, current = pandoc.Blocks {}, pandoc.Inlines {}
  local function close()
    if pandoc.utils.stringify(current):match("%S") or current:find_if(function(i) return i.t == "Math" end) then
      out:insert(pandoc.Para(current))
    end
    current = pandoc.Inlines {}
  end
  for _, inline in ipairs(para.content) do
    if inline.t == "Math" and inline.mathtype == "DisplayMath" then
      close()
      out:insert(pandoc.Para { inline })
    elseif #current > 0 or (inline.t ~= "Space" and inline.t ~= "SoftBreak") then
      current:insert(inline)
    end
  end
  close()
  return out
end

function Image(image)
  return image.caption
end

function Figure(figure)
  local blocks = figure.content
  blocks:extend(figure.caption.long or {})
  return blocks
end

local function as_blocks(value)
  local kind = pandoc.utils.type(value)
  if kind == "Blocks" then return value end
  if kind == "Inlines" then return pandoc.Blocks { pandoc.Para(value) } end
  return pandoc.Blocks { pandoc.Para(pandoc.utils.stringify(value)) }
end

local function authors(meta)
  local names = {}
  local list = meta.author
  if not list then return nil end
  if pandoc.utils.type(list) ~= "List" then list = { list } end
  for _, author in ipairs(list) do
    local name = pandoc.utils.stringify(author):gsub("%s+", " ")
    if name ~= "" then names[#names + 1] = name end
  end
  return #names > 0 and table.concat(names, ", ") or nil
end

function Pandoc(doc)
  local front = pandoc.Blocks {}
  local meta = doc.meta
  if meta.title and pandoc.utils.stringify(meta.title) ~= "" then
    front:insert(pandoc.Header(1, no_breaks(pandoc.utils.blocks_to_inlines(as_blocks(meta.title)))))
  end
  local names = authors(meta)
  if names then front:insert(pandoc.Para(names)) end
  if meta.abstract and pandoc.utils.stringify(meta.abstract) ~= "" then
    front:insert(pandoc.Header(1, "Abstract"))
    front:extend(as_blocks(meta.abstract))
  end
  front:extend(doc.blocks)
  doc.blocks = front
  return doc
end
